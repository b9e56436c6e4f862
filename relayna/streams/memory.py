"""The log in this process's memory: for tests, demonstrations and use with no server at all.

Owns streams that behave as those of Redis do: growing ids, expiry by the clock it is given, the fuse,
feeds. Keeps nothing beyond the object's life, and talks to nobody.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio
import anyio.lowlevel

from relayna.clock import Clock, SystemClock
from relayna.ids import StreamId, stream_position
from relayna.instants import Instant
from relayna.streams.keys import DEFAULT_PREFIX, DEFAULT_SHARD_COUNT, KeyGrammar, TaskAddress
from relayna.streams.log import (
    DEFAULT_OPEN_RETENTION_SECONDS,
    DEFAULT_RETENTION_SECONDS,
    FEED_FUSE,
    FEED_RETENTION_SECONDS,
    PAGE_LIMIT,
    START,
    STREAM_FUSE,
    Append,
    Appended,
    AppendResult,
    Entry,
    FeedReference,
    StreamPage,
    StreamRange,
    StreamState,
    checked_retention,
)

__all__ = ["MemoryLog"]

_NODE = 100
"""A server drops the oldest a node of about this many entries at a time; so do we, and for its speed."""

_NO_INCARNATIONS: Mapping[int, str] = {}


class MemoryLog:
    """A `Log` in memory. `trim` and `delete` do to a stream what a server or an operator can."""

    def __init__(
        self,
        *,
        prefix: str = DEFAULT_PREFIX,
        shard_count: int = DEFAULT_SHARD_COUNT,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        open_retention_seconds: int = DEFAULT_OPEN_RETENTION_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        """Raises `InvalidSetting` for a prefix, a shard count or a retention that cannot work."""
        self._open_retention_seconds = checked_retention(retention_seconds, open_retention_seconds)
        self._keys = KeyGrammar(prefix, shard_count)
        self._retention_seconds = retention_seconds
        self._clock = clock or SystemClock()
        self._streams: dict[TaskAddress, _Stream[Entry]] = {}
        self._feeds: dict[int, _Stream[FeedReference]] = {}
        self._ends: list[tuple[Instant, int, TaskAddress]] = []
        """When to look whether a stream has ended; one that was moved on since is looked at again."""
        self._looks = itertools.count()
        self._waiting: set[anyio.Event] = set()
        """Of those who wait for something new."""

    @property
    def keys(self) -> KeyGrammar:
        """How keys would be spelled, and over how many shards feeds are spread."""
        return self._keys

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        """Append each frame; every result is `Appended`, in the order given."""
        await anyio.lowlevel.checkpoint()
        now = self._clock.now()
        self._sweep(now)
        results: list[AppendResult] = [Appended(self._append_one(append, now)) for append in appends]
        self._refer_to(dict.fromkeys(append.address for append in appends), now)
        for waiting in self._waiting:
            waiting.set()
        return results

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        """One page of each stream; an absent or expired stream is an empty page."""
        await anyio.lowlevel.checkpoint()
        now = self._clock.now()
        return [self._page(wanted, now) for wanted in ranges]

    async def states(self, addresses: Sequence[TaskAddress]) -> list[StreamState]:
        """What is true of each stream now."""
        await anyio.lowlevel.checkpoint()
        now = self._clock.now()
        return [
            StreamState() if stream is None else stream.state(now) for stream in self._live(addresses, now)
        ]

    async def changed(
        self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float
    ) -> set[TaskAddress]:
        """Those with entries after their positions; waits for an append when there is none."""
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(wait_seconds):
            while not (found := self._news(positions)):
                appended = anyio.Event()
                self._waiting.add(appended)
                try:
                    await appended.wait()
                finally:
                    self._waiting.discard(appended)
            return found
        return self._news(positions)

    async def read_feed(
        self, shard: int, *, after: StreamId = START, limit: int = PAGE_LIMIT
    ) -> list[FeedReference]:
        """References after `after`, oldest first."""
        await anyio.lowlevel.checkpoint()
        feed = self._feeds.get(shard)
        return [] if feed is None or feed.expired(self._clock.now()) else feed.between(after, None, limit)

    async def incarnations(self, shards: Collection[int]) -> Mapping[int, str]:
        """None: memory never goes backwards."""
        return _NO_INCARNATIONS

    async def ping(self) -> None:
        """Return: memory always answers."""
        await anyio.lowlevel.checkpoint()

    async def __aenter__(self) -> Self:
        """There is nothing to connect to."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Keep the streams: a log may be entered again."""

    def trim(self, address: TaskAddress, *, keep: int) -> None:
        """Drop all but the newest `keep` entries, as `XTRIM` does: the stream remembers that they were."""
        if stream := self._streams.get(address):
            stream.trim(keep)

    def trim_feed(self, shard: int, *, before: StreamId) -> None:
        """Drop what a feed tells before this position."""
        if feed := self._feeds.get(shard):
            feed.trim_before(before)

    def delete(self, address: TaskAddress) -> None:
        """Forget the stream, as `DEL` and eviction do: a later append begins it anew."""
        self._streams.pop(address, None)

    def addresses(self) -> list[TaskAddress]:
        """The tasks of all tenants that have a stream, as a walk over a server's keys finds them."""
        now = self._clock.now()
        return [address for address, stream in self._streams.items() if not stream.expired(now)]

    def _sweep(self, now: Instant) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, _, address = heapq.heappop(self._ends)
            stream = self._streams.get(address)
            if stream is not None and stream.expired(now):
                del self._streams[address]
            elif stream is not None:
                self._look_at(stream.expires_at, address)

    def _look_at(self, end: Instant, address: TaskAddress) -> None:
        heapq.heappush(self._ends, (end, next(self._looks), address))

    def _append_one(self, append: Append, now: Instant) -> StreamId:
        stream = self._streams.get(append.address)
        if stream is None or stream.expired(now):
            stream = self._streams[append.address] = _Stream(STREAM_FUSE)
        is_open = append.tells == "open"
        bound = _later(now, self._open_retention_seconds if is_open else self._retention_seconds)
        stream_id, former = stream.next_id(now), stream.expires_at
        stream.add(Entry(stream_id, append.payload), expires_at=bound)
        if append.tells == "ended":
            stream.expires_at = bound
        if not former or stream.expires_at < former:
            self._look_at(stream.expires_at, append.address)
        return stream_id

    def _refer_to(self, addresses: Iterable[TaskAddress], now: Instant) -> None:
        for address in addresses:
            shard = self._keys.shard_of(address)
            feed = self._feeds.get(shard)
            if feed is None or feed.expired(now):
                feed = self._feeds[shard] = _Stream(FEED_FUSE)
            reference = FeedReference(feed.next_id(now), address)
            feed.add(reference, expires_at=_later(now, FEED_RETENTION_SECONDS))

    def _live(self, addresses: Iterable[TaskAddress], now: Instant) -> Iterator[_Stream[Entry] | None]:
        for address in addresses:
            stream = self._streams.get(address)
            yield None if stream is None or stream.expired(now) else stream

    def _news(self, positions: Mapping[TaskAddress, StreamId]) -> set[TaskAddress]:
        streams = zip(positions.items(), self._live(positions, self._clock.now()), strict=True)
        return {
            address
            for (address, after), stream in streams
            if stream is not None and stream.reaches_beyond(after)
        }

    def _page(self, wanted: StreamRange, now: Instant) -> StreamPage:
        (stream,) = self._live((wanted.address,), now)
        if stream is None:
            return StreamPage(address=wanted.address, entries=[], state=StreamState())
        entries = stream.between(wanted.after, wanted.until, wanted.limit, newest=wanted.newest)
        return StreamPage(address=wanted.address, entries=entries, state=stream.state(now))


_Item = TypeVar("_Item", Entry, FeedReference)


class _Stream(Generic[_Item]):
    """What a server knows of one stream."""

    def __init__(self, fuse: int) -> None:
        self._fuse = fuse
        self._items: list[_Item] = []
        self._added = 0
        self._last = (0, 0)
        self.expires_at = Instant(0)

    def next_id(self, now: Instant) -> StreamId:
        """The server's rule: the wall clock's millisecond, or the last one when the clock stepped back."""
        milliseconds, counter = self._last
        self._last = (now // 1000, 0) if now // 1000 > milliseconds else (milliseconds, counter + 1)
        return StreamId(f"{self._last[0]}-{self._last[1]}")

    def add(self, item: _Item, *, expires_at: Instant) -> None:
        self._items.append(item)
        self._added += 1
        self.expires_at = max(self.expires_at, expires_at)
        if len(self._items) >= self._fuse + _NODE:
            self.trim(self._fuse)

    def trim(self, keep: int) -> None:
        del self._items[: max(0, len(self._items) - keep)]

    def trim_before(self, stream_id: StreamId) -> None:
        position = stream_position(stream_id)
        del self._items[
            : bisect_left(self._items, position, key=lambda item: stream_position(item.stream_id))
        ]

    def expired(self, now: Instant) -> bool:
        return now >= self.expires_at

    def between(
        self, after: StreamId, until: StreamId | None, limit: int, *, newest: bool = False
    ) -> list[_Item]:
        first = 0 if after == START else self._first_after(after)
        end = len(self._items) if until is None else self._first_after(until)
        if newest:
            return self._items[max(first, end - max(0, limit)) : end]
        return self._items[first : min(end, first + max(0, limit))]

    def reaches_beyond(self, stream_id: StreamId) -> bool:
        return bool(self._items) and stream_position(self._items[-1].stream_id) > stream_position(stream_id)

    def state(self, now: Instant) -> StreamState:
        return StreamState(
            length=len(self._items),
            entries_added=self._added,
            last_id=StreamId(f"{self._last[0]}-{self._last[1]}"),
            expires_in_ms=(self.expires_at - now) // 1000,
            first_id=self._items[0].stream_id if self._items else None,
        )

    def _first_after(self, stream_id: StreamId) -> int:
        return bisect_right(
            self._items, stream_position(stream_id), key=lambda item: stream_position(item.stream_id)
        )


def _later(now: Instant, seconds: int) -> Instant:
    return Instant(now + seconds * 1_000_000)
