"""The versions that this process has made: those need not be read, and some tokens do not name all of their streams.

Owns what is remembered, and that it stays within a bound. What is forgotten is only dear: it is folded again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.observability.family_reading import Positions
from relayna.observability.graph_question import GraphQuestion
from relayna.observability.graph_version import GraphVersion, StreamPosition
from relayna.streams import TaskAddress

__all__ = ["KnownVersion", "KnownVersions", "by_task"]

_MOST_STREAMS: Final = 50_000


class KnownVersion(Struct, frozen=True):
    """What a version answers, and what it was made from."""

    question: GraphQuestion
    positions: tuple[StreamPosition, ...]
    """Where its streams ended."""
    changes_at: Instant | None
    """From when on the same streams give another answer."""


class KnownVersions:
    """By token; the longest unused is forgotten first."""

    def __init__(self, *, most_streams: int = _MOST_STREAMS) -> None:
        self._most_streams = most_streams
        self._streams = 0
        self._known: OrderedDict[str, KnownVersion] = OrderedDict()

    def remember(self, token: str, version: KnownVersion) -> None:
        """Keep this version, if one so large is kept at all."""
        if token in self._known or len(version.positions) > self._most_streams:
            return
        self._known[token] = version
        self._streams += len(version.positions)
        while self._streams > self._most_streams:
            _, forgotten = self._known.popitem(last=False)
            self._streams -= len(forgotten.positions)

    def find(self, token: str) -> KnownVersion | None:
        """What is remembered of it."""
        found = self._known.get(token)
        if found is not None:
            self._known.move_to_end(token)
        return found

    def positions(
        self, token: str, version: GraphVersion, *, root: TaskId, tenant: Tenant
    ) -> tuple[StreamPosition, ...] | None:
        """Where the streams of this version ended; nothing when nobody knows any more."""
        if version.others is None:
            return tuple(
                StreamPosition(TaskAddress(root if task_id is None else task_id, tenant), last_id, gone)
                for task_id, last_id, gone in version.listed
            )
        found = self.find(token)
        return None if found is None else found.positions


def by_task(positions: Sequence[StreamPosition]) -> Positions:
    """The last ids alone."""
    return {position.address.task_id: position.last_id for position in positions}
