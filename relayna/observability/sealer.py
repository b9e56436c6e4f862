"""Seals the streams of finished tasks: walks the feeds and seals what has been quiet for a while.

Owns which streams are sealed, and when. Does not ask whether a task has ended, which would take reading it: a
stream that nobody extends is as good as finished, and one that is extended after all is sealed again later.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.ids import StreamId, stream_position
from relayna.streams.log import START
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.sealing import SealResult, seal_streams
from relayna.streams.redis.server_time import server_time_ms

__all__ = ["DEFAULT_QUIET_SECONDS", "SealReport", "Sealer"]

DEFAULT_QUIET_SECONDS: Final = 300.0
"""How long nothing must have been appended. Waiting retries and slow handlers are no reason to wait longer."""

_STREAMS_AT_ONCE: Final = 200


class SealReport(Struct, frozen=True, kw_only=True):
    """What one walk did."""

    sealed: int = 0
    passed_over: int = 0
    """Streams that are gone, were extended meanwhile or are too long to have anything to gain."""
    failed: int = 0
    """Streams that the store refused to seal; they are as they were."""


class Sealer:
    """Walks on from where its last walk ended. The log must be open (`async with log`)."""

    def __init__(
        self, log: RedisLog, *, quiet_seconds: float = DEFAULT_QUIET_SECONDS, clock: Clock | None = None
    ) -> None:
        self._log = log
        self._quiet_seconds = quiet_seconds
        self._clock = clock or SystemClock()
        self._positions: dict[int, StreamId] = {}

    async def walk(self) -> SealReport:
        """Seal what every shard's feed tells of, up to what is too young. Raises `StoreError`."""
        counted: Counter[SealResult] = Counter()
        for shard in range(self._log.keys.shard_count):
            counted += await self._walk_shard(shard)
        done = counted[SealResult.SEALED], counted[SealResult.FAILED]
        return SealReport(sealed=done[0], failed=done[1], passed_over=counted.total() - sum(done))

    async def walk_for_ever(self, *, every_seconds: float) -> None:
        """Walk, wait, and walk again. Raises `StoreError`."""
        while True:
            await self.walk()
            await self._clock.sleep(every_seconds)

    async def _walk_shard(self, shard: int) -> Counter[SealResult]:
        counted: Counter[SealResult] = Counter()
        # By the server's clock, as the feed's ids are: what is too young here is told of again later.
        youngest = await server_time_ms(self._log, shard) - round(self._quiet_seconds * 1000)
        while True:
            after = self._positions.get(shard, START)
            page = await self._log.read_feed(shard, after=after, limit=_STREAMS_AT_ONCE)
            due = [one for one in page if stream_position(one.stream_id)[0] <= youngest]
            if not due:
                return counted
            addresses = list(dict.fromkeys(one.address for one in due))
            counted += Counter(await seal_streams(self._log, addresses, quiet_seconds=self._quiet_seconds))
            self._positions[shard] = due[-1].stream_id
