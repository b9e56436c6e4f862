"""Whether frames are in their streams whose appends were not answered.

Owns the search. A frame carries the moment of its first offer and its events' ids, so the same bytes are the
same frame; a stream is read from the last entry that this process knows of, or else from its end backwards.
Appends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from relayna.errors import StoreError
from relayna.ids import StreamId, Tenant, stream_id_before
from relayna.streams.keys import TaskAddress
from relayna.streams.log import PAGE_LIMIT, Log, StreamPage, StreamRange
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.recording.positions import Position, Positions
from relayna.streams.recording.stream_reading import may_not_read, read_pages

__all__ = ["ReadBack"]

_NEWEST_PAGES: Final = 4
"""So many are looked at when nothing is known of the stream. Behind as many entries of others a frame is not
found, and appended once more; its events are dropped by their ids when they are read."""


class ReadBack:
    """Looks for frames. Remembers only which shards could not be read."""

    def __init__(self, log: Log, tenant: Tenant, positions: Positions) -> None:
        self._log = log
        self._tenant = tenant
        self._positions = positions
        self._unread: dict[int, None] = {}
        """Shards that could not be read, the one that was tried last at the end."""

    async def find(
        self, frames: Sequence[PendingFrame]
    ) -> tuple[dict[PendingFrame, StreamId | None], StoreError | None]:
        """Where each frame is, or that it is not there; one that could not be looked for is left out.

        All are read in one round trip. When the store fails, its error comes with what was found so far;
        then shards are read apart until each has answered once: one node that is down must not keep the
        frames of others waiting.
        """
        found: dict[PendingFrame, StreamId | None] = {}
        for shards, group in self._groups(frames):
            searches = [self._search(frame) for frame in group]
            try:
                await self._run(searches)
            except StoreError as error:
                if may_not_read(error):  # rather twice in the log than never
                    return dict.fromkeys(frames), None
                for shard in shards:
                    self._unread.pop(shard, None)
                    self._unread[shard] = None
                return found, error
            for shard in shards:
                self._unread.pop(shard, None)
            found.update((search.frame, search.found) for search in searches)
        return found, None

    def _groups(self, frames: Iterable[PendingFrame]) -> list[tuple[list[int], list[PendingFrame]]]:
        by_shard: dict[int, list[PendingFrame]] = {}
        for frame in frames:
            shard = self._log.keys.shard_of(TaskAddress(frame.task_id, self._tenant))
            by_shard.setdefault(shard, []).append(frame)
        together = [shard for shard in by_shard if shard not in self._unread]
        apart = [shard for shard in self._unread if shard in by_shard]
        groups = [(together, [frame for shard in together for frame in by_shard[shard]])]
        groups += [([shard], by_shard[shard]) for shard in apart]
        return [group for group in groups if group[0]]

    def _search(self, frame: PendingFrame) -> _Search:
        return _Search(frame, TaskAddress(frame.task_id, self._tenant), self._positions.of(frame.task_id))

    async def _run(self, searches: Sequence[_Search]) -> None:
        going_on = list(searches)
        while going_on:
            pages = await read_pages(self._log, [search.range() for search in going_on])
            for search, page in zip(going_on, pages, strict=True):
                search.take(page)
            going_on = [search for search in going_on if not search.ended]


class _Search:
    """The search for one frame, a page at a time."""

    def __init__(self, frame: PendingFrame, address: TaskAddress, position: Position | None) -> None:
        self.frame = frame
        self.found: StreamId | None = None
        self.ended = False
        self._payload = frame.payload()
        self._forwards = position is not None
        self._pages_left = _NEWEST_PAGES
        if position is None:
            self._next = StreamRange(address=address, newest=True)
        else:
            self._next = StreamRange(address=address, after=position.stream_id)

    def range(self) -> StreamRange:
        """What to read next."""
        return self._next

    def take(self, page: StreamPage) -> None:
        """Look at it."""
        same = (entry.stream_id for entry in page.entries if entry.payload == self._payload)
        self.found = next(same, None)
        self._pages_left -= not self._forwards
        self.ended = self.found is not None or len(page.entries) < PAGE_LIMIT or not self._pages_left
        if self.ended:
            return
        first, last = page.entries[0].stream_id, page.entries[-1].stream_id
        self._next = (
            StreamRange(address=page.address, after=last)
            if self._forwards
            else StreamRange(address=page.address, until=stream_id_before(first), newest=True)
        )
