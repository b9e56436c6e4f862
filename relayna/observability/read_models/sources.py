"""Where read models are folded from: shards' feeds at one look, and every task that has a stream.

Owns the difference between logs in memory and on servers. Folds nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from relayna.clock import Clock
from relayna.errors import InvalidSetting
from relayna.ids import StreamId, stream_id_before, stream_position
from relayna.signals import Counters
from relayna.streams import Log, MemoryLog, TaskAddress
from relayna.streams.log import START, FeedReference
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.streams.read_models import ReadModels
from relayna.streams.redis import RedisLog
from relayna.streams.redis.feeds import read_feeds
from relayna.streams.redis.read_models import RedisReadModels
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.redis.scanning import stream_addresses
from relayna.streams.run_records import RunRecords

__all__ = [
    "LogSource",
    "MemorySource",
    "RedisLogSource",
    "read_models_beside",
    "run_records_beside",
    "source_of",
]


class LogSource(Protocol):
    """What an indexer asks of a log beyond reading streams. Methods raise `StoreError`."""

    async def feeds(self, positions: Mapping[int, StreamId], *, limit: int) -> dict[int, list[FeedReference]]:
        """By shard, the references at and after its position, oldest first, at most `limit`."""

    def addresses(self) -> AsyncGenerator[TaskAddress, None]:
        """Every task with a stream, of all tenants, at least once; for operators and rebuilding."""


class MemorySource:
    """Of a log in memory; `reader` is what stands before it, when that is another."""

    def __init__(self, log: MemoryLog, *, reader: Log | None = None) -> None:
        self._log = log
        self._reader: Log = reader or log

    async def feeds(self, positions: Mapping[int, StreamId], *, limit: int) -> dict[int, list[FeedReference]]:
        """One shard after the other."""
        return {
            shard: await self._reader.read_feed(shard, after=_just_before(position), limit=limit)
            for shard, position in positions.items()
        }

    async def addresses(self) -> AsyncGenerator[TaskAddress, None]:
        """Every task with a stream."""
        for address in self._log.addresses():
            yield address


class RedisLogSource:
    """Of a log on servers."""

    def __init__(self, log: RedisLog) -> None:
        self._log = log

    async def feeds(self, positions: Mapping[int, StreamId], *, limit: int) -> dict[int, list[FeedReference]]:
        """All of them in one round trip a node."""
        return await read_feeds(self._log, positions, limit=limit)

    async def addresses(self) -> AsyncGenerator[TaskAddress, None]:
        """Every task with a stream; keys that name none are nobody's row."""
        async for address in stream_addresses(self._log):
            if isinstance(address, TaskAddress):
                yield address


def source_of(log: Log) -> LogSource:
    """The source for this log. Raises `InvalidSetting` for one that is neither in memory nor on servers."""
    match log:
        case RedisLog():
            return RedisLogSource(log)
        case MemoryLog():
            return MemorySource(log)
        case _:
            raise InvalidSetting(
                "log", "argument", f"a {type(log).__name__} cannot be walked; pass a source of its own"
            )


def read_models_beside(log: Log, *, clock: Clock | None = None) -> ReadModels:
    """The read models in the same store as this log; `clock` is that of a log in memory.

    Of a log in memory they are its process's and are made empty: one is enough. Raises `InvalidSetting` for a log
    that is neither in memory nor on servers.
    """
    match log:
        case RedisLog():
            return RedisReadModels(log)
        case MemoryLog():
            return MemoryReadModels(log, clock=clock)
        case _:
            problem = f"there are no read models beside a {type(log).__name__}; pass some"
            raise InvalidSetting("log", "argument", problem)


def run_records_beside(
    log: Log, read_models: ReadModels, *, counters: Counters | None = None
) -> RunRecords | None:
    """The run records that rows of these read models are written with; None where there are none."""
    match log, read_models:
        case RedisLog(), _:
            return RedisRunRecords(log, counters=counters)
        case _, MemoryReadModels():
            return read_models.run_records
        case _:
            return None


def _just_before(position: StreamId) -> StreamId:
    return START if stream_position(position) == stream_position(START) else stream_id_before(position)
