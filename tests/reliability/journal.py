"""What producers mean to record, on disk before they record it.

Owns the file: lines of a task and an event id, synced before `intend` returns, so that it is true whatever
dies afterwards. Knows nothing of the log that it is compared with.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from relayna.events import Event

__all__ = ["Journal", "read_journal"]


class Journal:
    """One producer's file; it is added to."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def intend(self, events: Iterable[Event]) -> None:
        """These are about to be recorded."""
        for event in events:
            line = f"{event.envelope.task_id}\t{event.envelope.event_id}\n"
            self._file.write(line.encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def read_journal(*paths: Path) -> Mapping[str, list[str]]:
    """By task, the ids of the events that were meant to be in its stream, in order."""
    intended: dict[str, list[str]] = {}
    for path in paths:
        for line in path.read_text().splitlines():
            task_id, _, event_id = line.partition("\t")
            intended.setdefault(task_id, []).append(event_id)
    return intended
