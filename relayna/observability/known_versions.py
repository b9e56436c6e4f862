"""The versions that this process has made, for tokens that do not name all of their streams.

Owns what is remembered, and that it stays within a bound. What is forgotten is only dear: it is folded again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from relayna.ids import TaskId, Tenant
from relayna.observability.family_reading import Positions
from relayna.observability.graph_version import GraphVersion, StreamPosition
from relayna.streams import TaskAddress

__all__ = ["KnownVersions", "by_task"]

_MOST_STREAMS: Final = 50_000


class KnownVersions:
    """By token, where its streams ended; the longest unused is forgotten first."""

    def __init__(self, *, most_streams: int = _MOST_STREAMS) -> None:
        self._most_streams = most_streams
        self._streams = 0
        self._positions: OrderedDict[str, tuple[StreamPosition, ...]] = OrderedDict()

    def remember(self, token: str, positions: Sequence[StreamPosition]) -> None:
        """Keep this version, if one so large is kept at all."""
        if token in self._positions or len(positions) > self._most_streams:
            return
        self._positions[token] = tuple(positions)
        self._streams += len(positions)
        while self._streams > self._most_streams:
            _, forgotten = self._positions.popitem(last=False)
            self._streams -= len(forgotten)

    def positions(
        self, token: str, version: GraphVersion, *, root: TaskId, tenant: Tenant
    ) -> tuple[StreamPosition, ...] | None:
        """Where the streams of this version ended; nothing when nobody knows any more."""
        if version.others is None:
            return tuple(
                StreamPosition(TaskAddress(root if task_id is None else task_id, tenant), last_id, gone)
                for task_id, last_id, gone in version.listed
            )
        if token in self._positions:
            self._positions.move_to_end(token)
        return self._positions.get(token)


def by_task(positions: Sequence[StreamPosition]) -> Positions:
    """The last ids alone."""
    return {position.address.task_id: position.last_id for position in positions}
