"""The log in Redis or Valkey.

Owns which commands make a read, and the log's being open. Keys are spelled in `relayna.streams.keys`, where
the store is and of which kind is known to `addresses.py`, and one script call appends all that goes to a shard
(`appending.py`). Never repeats an append: an unknown outcome is said to be one, and whoever asked reads back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Self

import anyio

from relayna.errors import InvalidSetting, LogNotOpen, ShardCountMismatch, StoreRefused
from relayna.ids import StreamId
from relayna.signals import Counters, ForwardedMeasures, Measures
from relayna.streams.forking import after_fork
from relayna.streams.keys import DEFAULT_PREFIX, DEFAULT_SHARD_COUNT, KeyGrammar, TaskAddress
from relayna.streams.log import (
    DEFAULT_OPEN_RETENTION_SECONDS,
    DEFAULT_RETENTION_SECONDS,
    PAGE_LIMIT,
    START,
    Append,
    AppendResult,
    FeedReference,
    NotAppended,
    StreamPage,
    StreamRange,
    StreamState,
    checked_retention,
)
from relayna.streams.outcomes import Trouble, ruling
from relayna.streams.redis.addresses import Address, RedisSource, address_of
from relayna.streams.redis.appending import Appender
from relayna.streams.redis.confirmation import LogDurability, confirmation_of
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.pages import feed_references, stream_page
from relayna.streams.redis.requests import Request
from relayna.streams.redis.states import stream_states
from relayna.streams.redis.store import Store, asked
from relayna.streams.redis.watching import Watcher

__all__ = ["RedisLog"]

_WRITE_CONNECTIONS = 4
_READ_CONNECTIONS = 16


class RedisLog:
    """A `Log` in Redis 7.0 or later, or Valkey. May be entered by several users; closes with the last."""

    def __init__(
        self,
        url_or_client: RedisSource,
        *,
        prefix: str = DEFAULT_PREFIX,
        shard_count: int = DEFAULT_SHARD_COUNT,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        open_retention_seconds: int = DEFAULT_OPEN_RETENTION_SECONDS,
        durability: LogDurability = "memory",
        counters: Counters | None = None,
    ) -> None:
        """Connects to nothing yet. A client handed in lends its connection settings and is never closed.

        Streams are kept for `retention_seconds` after their task's end, and for `open_retention_seconds`,
        or for the former when it is longer, while the task goes on and says nothing. Raises
        `InvalidSetting`. Counts `relayna_feed_references_missed_total`: appends that a feed does not tell of.
        """
        open_retention_seconds = checked_retention(retention_seconds, open_retention_seconds)
        self._keys = KeyGrammar(prefix, shard_count)
        self._address = address_of(url_or_client)
        self._confirmation = confirmation_of(durability)
        self._counters = ForwardedMeasures(counters)
        self._appender = Appender(
            self._keys,
            retention_ms=retention_seconds * 1000,
            open_retention_ms=open_retention_seconds * 1000,
        )
        self._begin()
        after_fork(self._begin_in_child)

    def _begin(self) -> None:
        self._entering = anyio.Lock()
        self._users = 0
        self._open: tuple[Store, Store, Watcher] | None = None
        self._incarnations: Mapping[int, str] = {}
        self._failures = 0
        self._incarnations_as_of = (0, 0)
        """How many connections had been made, and how many appends had failed."""

    def _begin_in_child(self) -> None:
        # On the parent's connections we would take replies that are the parent's. They are kept alive here,
        # as they stand: collected, they would warn that nobody closed them.
        self._open_in_parent = self._open
        self._begin()

    @property
    def keys(self) -> KeyGrammar:
        """How keys are spelled, and over how many shards."""
        return self._keys

    @property
    def url(self) -> str:
        """Where the log is, credentials masked."""
        return self._address.url

    @property
    def address(self) -> Address:
        """Where the log is, for those who need connections of their own."""
        return self._address

    @property
    def store(self) -> Store:
        """What it writes to while it is open, for the modules beside this one. Raises `LogNotOpen`."""
        if self._open is None:
            raise self._not_open()
        return self._open[0]

    @property
    def reader(self) -> Store:
        """What it reads from while it is open, over connections that no write waits for. Raises `LogNotOpen`."""
        return self._reader()

    def report_to(self, measures: Measures) -> None:
        """Report there, unless it was told where when it was made."""
        self._counters.report_to(measures)

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        """Append each frame with one script call a shard, all in one round trip a node."""
        if self._open is None:
            return [NotAppended(self._not_open())] * len(appends)
        results, references_missed = await self._appender.append(self._open[0], appends)
        if references_missed:
            self._counters.increment("relayna_feed_references_missed_total", references_missed)
        if any(isinstance(result, NotAppended) for result in results):
            self._failures += 1
        return results

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        """One page of each stream, all in one round trip a node."""
        requests = [self._page_request(wanted) for wanted in ranges]
        pages: list[StreamPage] = []
        for wanted, reply in zip(ranges, await self._reader().exchange(requests), strict=True):
            if isinstance(reply, Failed):
                raise reply.error
            pages.append(stream_page(wanted, self._keys, reply))
        return pages

    async def states(self, addresses: Sequence[TaskAddress]) -> list[StreamState]:
        """What is true of each stream now, in one round trip a node."""
        return await stream_states(self._reader(), self._keys, addresses)

    async def changed(
        self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float
    ) -> set[TaskAddress]:
        """Those with entries after their positions; one connection waits for 64 streams at a time."""
        if self._open is None:
            raise self._not_open()
        return await self._open[2].changed(positions, wait_seconds=wait_seconds)

    async def read_feed(
        self, shard: int, *, after: StreamId = START, limit: int = PAGE_LIMIT
    ) -> list[FeedReference]:
        """References after `after`, oldest first."""
        feed = self._keys.feed(shard)
        return feed_references(
            await asked(self._reader(), feed, "XRANGE", feed, f"({after}", "+", "COUNT", max(0, limit))
        )

    async def incarnations(self, shards: Collection[int]) -> Mapping[int, str]:
        """By shard, what its server's `run_id` and `master_replid` are."""
        as_of = self._address.settings.count.made, self._failures
        is_known = self._incarnations_as_of == as_of and self._incarnations.keys() >= set(shards)
        if self._open is None or is_known:
            return self._incarnations
        every = range(self._keys.shard_count)
        names = await self._open[0].identities([self._keys.feed(shard) for shard in every])
        told = {shard: name for shard, name in zip(every, names, strict=True) if name is not None}
        self._incarnations_as_of = as_of
        if told != self._incarnations:
            self._incarnations = told
        return self._incarnations

    async def ping(self) -> None:
        """Return when every server answers. Raises `StoreUnreachable` or `StoreRefused`."""
        await self._reader().ping()

    async def __aenter__(self) -> Self:
        """Check the servers' version and the prefix's number of shards (`ShardCountMismatch`)."""
        async with self._entering:
            if self._open is None:
                await self._connect()
            self._users += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close our connections, when this was the last user."""
        self._users -= 1
        if self._users == 0 and self._open is not None:
            parts, self._open = self._open, None
            await _close(*parts)

    async def _connect(self) -> None:
        writer = self._address.confirming(self._confirmation).store(connections=_WRITE_CONNECTIONS)
        reader = self._address.store(connections=_READ_CONNECTIONS)
        try:
            await writer.open()
            await reader.open()
            await self._check_shard_count(writer)
            await self._check_durability(writer)
        except BaseException:
            await _close(writer, reader)
            raise
        self._open = writer, reader, Watcher(self._keys, self._address, reader)

    async def _check_shard_count(self, store: Store) -> None:
        key = self._keys.shards()
        stored = await asked(store, key, "GET", key)
        if stored is None:  # whoever may only read need not be allowed to write it down
            await asked(store, key, "SET", key, self._keys.shard_count, "NX")
            stored = await asked(store, key, "GET", key)
        if not isinstance(stored, bytes) or not stored.isdigit():
            raise StoreRefused(f"GET {key}", f"{stored!r} is not a number of shards; use another prefix")
        if int(stored) != self._keys.shard_count:
            raise ShardCountMismatch(self._keys.prefix, int(stored), self._keys.shard_count)

    async def _check_durability(self, store: Store) -> None:
        if self._confirmation is None:
            return
        command = self._confirmation.command
        try:
            await asked(store, self._keys.shards(), *command[:-1], 1)
        except StoreRefused as error:
            if ruling(error).trouble is Trouble.STORE:
                raise
            problem = f"the server at {self.url} does not answer {command[0]!s} ({error.problem})"
            raise InvalidSetting("durability", "argument", problem) from error

    def _reader(self) -> Store:
        if self._open is None:
            raise self._not_open()
        return self._open[1]

    def _not_open(self) -> LogNotOpen:
        return LogNotOpen(self.url, "this log is not open; enter it first (async with log)")

    def _page_request(self, wanted: StreamRange) -> Request:
        stream = self._keys.events(wanted.address)
        first, last = f"({wanted.after}", wanted.until or "+"
        commands = (
            ("XINFO", "STREAM", stream),
            ("PTTL", stream),
            ("XREVRANGE", stream, last, first, "COUNT", max(0, wanted.limit))
            if wanted.newest
            else ("XRANGE", stream, first, last, "COUNT", max(0, wanted.limit)),
        )
        return Request(commands, stream)


async def _close(*parts: Store | Watcher) -> None:
    # In tasks of their own: a shielded scope does not hold against asyncio's Task.cancel(), which is what
    # Ctrl-C amounts to.
    closing = asyncio.gather(*(part.aclose() for part in parts))
    with anyio.CancelScope(shield=True):
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing
            raise
