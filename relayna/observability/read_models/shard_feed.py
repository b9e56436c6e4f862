"""One shard's feed, as far as it was read: which tasks are to be folded, and up to where all of them were. Pure.

Owns the bookkeeping between reading and folding. A checkpoint is never ahead of a task that waits, so whoever
takes the shard over folds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from relayna.ids import StreamId, stream_position
from relayna.streams import TaskAddress
from relayna.streams.log import START, FeedReference

__all__ = ["ShardFeed"]

_MOST_WAITING: Final = 10_000


class ShardFeed:
    """Begins at a checkpoint's position."""

    def __init__(self, position: StreamId) -> None:
        self.checkpoint = position
        """All references up to and with this one are folded."""
        self.position = position
        """The last reference read."""
        self._order: deque[FeedReference] = deque()
        self._waiting: dict[TaskAddress, None] = {}

    @property
    def waiting(self) -> list[TaskAddress]:
        """Tasks that were appended to and are not folded since, those waiting longest first."""
        return list(self._waiting)

    @property
    def is_full(self) -> bool:
        """So much waits that no more is to be read for now."""
        return len(self._order) >= _MOST_WAITING

    @property
    def oldest_waiting_ms(self) -> int | None:
        """When the first reference was left that is not folded, by the store's clock; none when all are."""
        return stream_position(self._order[0].stream_id)[0] if self._order else None

    def take(self, references: Iterable[FeedReference]) -> bool:
        """What was read at and after `position`. False when the feed does not reach back to it any more."""
        listed = list(references)
        reached = stream_position(self.position)
        if listed and reached != stream_position(START) and stream_position(listed[0].stream_id) != reached:
            return False
        for reference in listed:
            if stream_position(reference.stream_id) > reached:
                self._order.append(reference)
                self._waiting.setdefault(reference.address)
                self.position = reference.stream_id
        return True

    def folded(self, addresses: Iterable[TaskAddress]) -> None:
        """These were folded after all that was taken so far was read."""
        for address in addresses:
            self._waiting.pop(address, None)
        while self._order and self._order[0].address not in self._waiting:
            self.checkpoint = self._order.popleft().stream_id
