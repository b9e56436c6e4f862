"""A folder of archives: one file a task, `SHARD/TENANT~TASK.jsonl.gz`, named as its stream's key is.

Owns what is in a file that is there already: archiving again adds what is new, and never takes away what the
stream has lost since. A file is whole or not there.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Final

from relayna.observability.archive.archived_task import ArchivedTask
from relayna.observability.archive.lines import UnreadableArchive, archive_bytes, read_archive
from relayna.streams.keys import KeyGrammar, TaskAddress, encode_task_id

__all__ = ["ArchiveFolder", "ArchiveResult"]

_SUFFIX: Final = ".jsonl.gz"


class ArchiveResult(Enum):
    """What became of a task's file."""

    WRITTEN = "written"
    EXTENDED = "extended"
    UNCHANGED = "unchanged"


class ArchiveFolder:
    """Files under `folder`, which is made when it is not there. Its methods block: call them in a thread."""

    def __init__(self, folder: Path, keys: KeyGrammar) -> None:
        self.folder = folder
        self._keys = keys

    def path_of(self, address: TaskAddress) -> Path:
        """Where the task's archive is, or would be."""
        name = f"{address.tenant}~{encode_task_id(address.task_id)}{_SUFFIX}"
        return self.folder / f"{self._keys.shard_of(address):05}" / name

    def put(self, task: ArchivedTask) -> ArchiveResult:
        """Archive what is known of the task now. Raises `OSError`, and `UnreadableArchive` for a damaged file."""
        path = self.path_of(task.address)
        former = path.read_bytes() if path.exists() else None
        known = None
        if former is not None:
            known = read_archive(former)
            if known is None or known.address != task.address:
                raise UnreadableArchive(f"{path.name} is there and holds no archive of this task")
        data = archive_bytes(task if known is None else task.merged(known))
        if data == former:
            return ArchiveResult.UNCHANGED
        _write_whole(path, data)
        return ArchiveResult.WRITTEN if former is None else ArchiveResult.EXTENDED


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.tmp")  # short: the name itself may be as long as names can be
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
