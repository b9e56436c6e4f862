"""The log on one Redis or Valkey server.

Owns which commands make an append and a read. Keys are spelled in `relayna.streams.keys`, connections
are made in `client.py`, and one script call appends all that goes to a shard (`append.lua`). Never
repeats an append: an unknown outcome is said to be one, and whoever asked reads back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import anyio
from redis.asyncio import Redis

from relayna.errors import InvalidSetting, LogNotOpen, ShardCountMismatch, StoreRefused
from relayna.ids import StreamId
from relayna.signals import Counters, IgnoredCounters
from relayna.streams.keys import DEFAULT_PREFIX, DEFAULT_SHARD_COUNT, KeyGrammar
from relayna.streams.log import (
    DEFAULT_RETENTION_SECONDS,
    PAGE_LIMIT,
    START,
    Append,
    AppendResult,
    FeedReference,
    NotAppended,
    StreamPage,
    StreamRange,
)
from relayna.streams.redis.batches import batches_by_shard
from relayna.streams.redis.client import ConnectionSettings, Reply, StoreClient
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.pages import feed_references, stream_page
from relayna.streams.redis.script import load_script

__all__ = ["RedisLog"]

_WRITE_CONNECTIONS = 4
_READ_CONNECTIONS = 16
_STREAMS_A_TRANSACTION = 64
"""The server does nothing else during a transaction; more streams than this are read in several."""


class RedisLog:
    """A `Log` in Redis 7.0 or later, or Valkey. May be entered by several users; closes with the last."""

    def __init__(
        self,
        url_or_client: str | Redis,
        *,
        prefix: str = DEFAULT_PREFIX,
        shard_count: int = DEFAULT_SHARD_COUNT,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        counters: Counters | None = None,
    ) -> None:
        """Connects to nothing yet. A client handed in lends its connection settings and is never closed.

        Raises `InvalidSetting`. Counts `feed_references_missed`: appends that a feed does not tell of.
        """
        if retention_seconds < 1:
            raise InvalidSetting(
                "retention_seconds", "argument", f"{retention_seconds} is less than a second"
            )
        self._keys = KeyGrammar(prefix, shard_count)
        self._settings = ConnectionSettings.of(url_or_client)
        self._retention_ms = retention_seconds * 1000
        self._counters: Counters = counters or IgnoredCounters()
        self._append_script = load_script("append.lua")
        self._entering = anyio.Lock()
        self._users = 0
        self._open: tuple[StoreClient, StoreClient] | None = None

    @property
    def keys(self) -> KeyGrammar:
        """How keys are spelled, and over how many shards."""
        return self._keys

    @property
    def url(self) -> str:
        """Where the log is, credentials masked."""
        return self._settings.url

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        """Append each frame with one script call a shard, all in one round trip."""
        if self._open is None:
            return [NotAppended(self._not_open())] * len(appends)
        batches = batches_by_shard(self._keys, appends)
        calls = [batch.call(self._keys, retention_ms=self._retention_ms) for batch in batches]
        answers = await self._append_script.run(self._open[0], calls) if calls else []
        results: dict[int, AppendResult] = {}
        for batch, answer in zip(batches, answers, strict=True):
            outcome = batch.outcome(answer)
            results.update(outcome.results)
            if outcome.references_missed:
                self._counters.increment("feed_references_missed", outcome.references_missed)
        return [results[position] for position in range(len(appends))]

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        """One page of each stream, all in one round trip."""
        commands: list[tuple[bytes | str | int, ...]] = []
        for start in range(0, len(ranges), _STREAMS_A_TRANSACTION):
            commands.append(("MULTI",))
            for wanted in ranges[start : start + _STREAMS_A_TRANSACTION]:
                commands.extend(self._page_commands(wanted))
            commands.append(("EXEC",))
        answers = await self._reader().exchange(commands) if commands else []
        replies: list[Reply] = []
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, Failed):
                raise answer.error
            if command[0] == "EXEC" and isinstance(answer, list):
                replies.extend(answer)
        return [
            stream_page(wanted, self._keys, *replies[3 * index : 3 * index + 3])
            for index, wanted in enumerate(ranges)
        ]

    async def read_feed(
        self, shard: int, *, after: StreamId = START, limit: int = PAGE_LIMIT
    ) -> list[FeedReference]:
        """References after `after`, oldest first."""
        feed = self._keys.feed(shard)
        return feed_references(
            await self._reader().ask("XRANGE", feed, f"({after}", "+", "COUNT", max(0, limit))
        )

    async def ping(self) -> None:
        """Return when the server answers. Raises `StoreUnreachable` or `StoreRefused`."""
        await self._reader().ask("PING")

    async def __aenter__(self) -> Self:
        """Check the server's version and the prefix's number of shards (`ShardCountMismatch`)."""
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
            clients, self._open = self._open, None
            await _close(*clients)

    async def _connect(self) -> None:
        writer = StoreClient(self._settings, connections=_WRITE_CONNECTIONS)
        reader = StoreClient(self._settings, connections=_READ_CONNECTIONS)
        try:
            check_version(await writer.ask("HELLO"))
            await self._check_shard_count(writer)
        except BaseException:
            await _close(writer, reader)
            raise
        self._open = writer, reader

    async def _check_shard_count(self, client: StoreClient) -> None:
        key = self._keys.shards()
        await client.ask("SET", key, self._keys.shard_count, "NX")
        stored = await client.ask("GET", key)
        if not isinstance(stored, bytes) or not stored.isdigit():
            raise StoreRefused(f"GET {key}", f"{stored!r} is not a number of shards; use another prefix")
        if int(stored) != self._keys.shard_count:
            raise ShardCountMismatch(self._keys.prefix, int(stored), self._keys.shard_count)

    def _reader(self) -> StoreClient:
        if self._open is None:
            raise self._not_open()
        return self._open[1]

    def _not_open(self) -> LogNotOpen:
        return LogNotOpen(self.url, "this log is not open; enter it first (async with log)")

    def _page_commands(self, wanted: StreamRange) -> list[tuple[bytes | str | int, ...]]:
        stream = self._keys.events(wanted.address)
        first, last = f"({wanted.after}", wanted.until or "+"
        return [
            ("XINFO", "STREAM", stream),
            ("PTTL", stream),
            ("XRANGE", stream, first, last, "COUNT", max(0, wanted.limit)),
        ]


def check_version(hello: Reply) -> None:
    """Refuse a server that lacks `PEXPIRE … GT` and `entries-added`. Raises `StoreRefused`.

    >>> check_version([b"server", b"redis", b"version", b"7.0.15"])
    """
    facts = hello if isinstance(hello, list) else []
    version = dict(zip(facts[::2], facts[1::2], strict=False)).get(b"version")
    major = version.partition(b".")[0] if isinstance(version, bytes) else b""
    if not major.isdigit() or int(major) < 7:
        raise StoreRefused("HELLO", f"its version is {version!r}; relayna needs Redis 7.0 or any Valkey")


async def _close(*clients: StoreClient) -> None:
    # In tasks of their own: a shielded scope does not hold against asyncio's Task.cancel(), which is what
    # Ctrl-C amounts to.
    closing = asyncio.gather(*(client.aclose() for client in clients))
    with anyio.CancelScope(shield=True):
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing
            raise
