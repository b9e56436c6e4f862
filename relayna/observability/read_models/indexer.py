"""Keeps the read models up with the streams: a catch-up subscription to the feeds of the shards that it holds.

Owns the order of a turn: leases, feeds, folding, writing, sweeping. A row and the checkpoint behind it are written
at one moment, so a process that dies leaves nothing half-done; who takes its shards over goes on from there. What
went wrong is counted and tried again: nothing that a store does ends the loop.
"""

from __future__ import annotations

import logging
from typing import Final

import anyio
from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.errors import StoreError
from relayna.instants import Instant
from relayna.observability.read_models.folding import Folded, TaskFolder, each_at_once
from relayna.observability.read_models.held_shards import HeldShards
from relayna.observability.read_models.leases import LeaseTerms, ShardLeases
from relayna.observability.read_models.rebuild import Rebuild
from relayna.observability.read_models.sources import LogSource, source_of
from relayna.observability.read_models.terms import FOLD_VERSION
from relayna.observability.run_records.retention import RunRetention
from relayna.signals import Counters, IgnoredCounters
from relayna.streams import Backoff, Log, TaskAddress
from relayna.streams.read_models import Checkpoint, ReadModels
from relayna.topologies import Topology

__all__ = ["Indexer", "IndexerState"]

_logger = logging.getLogger("relayna.observability")

_TASKS_A_TURN: Final = 200
_REFERENCES_A_TURN: Final = 500
_ROWS_SWEPT_A_TURN: Final = 50
_SECONDS_TO_END: Final = 2.0
_REST_AFTER_FOLD: Final = 10
"""A task is left alone for so many times what its fold took: one that never stops must not take all the time."""


class IndexerState(Struct, frozen=True, kw_only=True):
    """How an indexer is doing."""

    shards_held: int
    shards_rebuilding: int
    tasks_waiting: int
    lag_seconds: float
    """Since the oldest reference that it knows of and has not folded; 0 when there is none."""
    last_error: str | None
    """Of the store, since the last turn that went well."""


class Indexer:
    """One a process is enough, and any number of processes share the work. The log must be open while it runs."""

    def __init__(
        self,
        *,
        log: Log,
        read_models: ReadModels,
        topology: Topology | None = None,
        run_retention: RunRetention | None = None,
        owner: str | None = None,
        source: LogSource | None = None,
        poll_seconds: float = 0.25,
        lease_terms: LeaseTerms | None = None,
        backoff: Backoff | None = None,
        counters: Counters | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`owner` must be this process's alone; by default it is random.

        Counts `relayna_read_model_tasks_total` by outcome (folded, removed, failed), `…_rebuilds_total` by reason
        (absent, version, feed_trimmed), `…_store_failures_total` and `…_leases_lost_total`. Raises `InvalidSetting`
        for a log that is neither in memory nor on servers, without a `source`.
        """
        self._models = read_models
        self._keys = log.keys
        self._clock = clock or SystemClock()
        self._source = source or source_of(log)
        self._folder = TaskFolder(log, clock=self._clock, topology=topology, retention=run_retention)
        self._poll_seconds = poll_seconds
        self._backoff = backoff or Backoff()
        self._counters: Counters = counters or IgnoredCounters()
        leases = ShardLeases(
            read_models, range(log.keys.shard_count), owner=owner, clock=self._clock, terms=lease_terms
        )
        self._shards = HeldShards(leases, read_models)
        self._rebuild: Rebuild | None = None
        self._resting: dict[TaskAddress, Instant] = {}
        """Until when a task is left alone."""
        self._swept = 0
        self._last_error: str | None = None

    @property
    def state(self) -> IndexerState:
        """How it is doing."""
        feeds = self._shards.feeds.values()
        oldest = min((told for feed in feeds if (told := feed.oldest_waiting_ms) is not None), default=None)
        lag = 0.0 if oldest is None else max(0.0, self._clock.now() / 1_000_000 - oldest / 1_000)
        return IndexerState(
            shards_held=self._shards.count,
            shards_rebuilding=self._shards.count - len(feeds),
            tasks_waiting=sum(len(feed.waiting) for feed in feeds),
            lag_seconds=lag,
            last_error=self._last_error,
        )

    async def run(self) -> None:
        """Keep up until cancelled, then give the leases up."""
        failures = 0
        try:
            while True:
                try:
                    busy = await self.turn()
                except StoreError as error:
                    failures += 1
                    self._failed(error, first=failures == 1)
                    await self._clock.sleep(max(self._poll_seconds, self._backoff.seconds(failures)))
                else:
                    failures, self._last_error = 0, None
                    await self._clock.sleep(0 if busy else self._poll_seconds)
        finally:
            await self._end()

    async def catch_up(self) -> None:
        """Return when all that the feeds of our shards tell of is folded. Raises `StoreError`."""
        while True:
            busy = await self.turn()
            state = self.state
            if not busy and not state.tasks_waiting and not state.shards_rebuilding:
                return
            await self._clock.sleep(0 if busy else self._poll_seconds)

    async def turn(self) -> bool:
        """One turn; whether there is more to do at once. Raises `StoreError`."""
        await self._shards.settle(busy=self._rebuild.shards if self._rebuild else ())
        busy = await self._read_feeds()
        busy = await self._fold() or busy
        return await self._go_on_rebuilding() or busy

    async def _read_feeds(self) -> bool:
        found = await self._source.feeds(self._shards.positions(), limit=_REFERENCES_A_TURN)
        for shard in self._shards.take(found):
            _logger.warning(
                "The feed of shard %d does not reach back to where it was read last; the shard's lists are made anew",
                shard,
            )
        return any(len(references) == _REFERENCES_A_TURN for references in found.values())

    async def _fold(self) -> bool:
        now = self._clock.now()
        self._resting = {address: until for address, until in self._resting.items() if until > now}
        some, is_all = self._shards.waiting(self._resting, _TASKS_A_TURN)
        some = list(dict.fromkeys([*some, *await self._overdue()]))
        if some:
            folded = await self._folder.fold(some)
            await each_at_once(self._write, folded.by_shard(self._keys))
            self._rest(folded)
        return not is_all

    async def _overdue(self) -> list[TaskAddress]:
        """Tasks whose rows are to be swept, of one shard after the other; one that goes on is folded instead."""
        shards = list(self._shards.feeds)
        if not shards:
            return []
        self._swept = (self._swept + 1) % len(shards)
        now = self._clock.now()
        return await self._models.expired(shards[self._swept], before=now, limit=_ROWS_SWEPT_A_TURN)

    async def _write(self, shard: int, part: Folded) -> None:
        feed = self._shards.feeds[shard]
        feed.folded([*(row.address for row in part.rows), *part.removed, *part.failed])
        checkpoint = Checkpoint(fold_version=FOLD_VERSION, position=feed.checkpoint)
        try:
            result = await self._models.store(
                self._shards.lease(shard), rows=part.rows, removed=part.removed, checkpoint=checkpoint
            )
        except StoreError:
            self._shards.forget(shard)  # its checkpoint says what is folded
            raise
        if result == "lease_lost":
            self._counters.increment("relayna_read_model_leases_lost_total")
            self._shards.lose(shard)
        else:
            self._count(part)

    def _rest(self, folded: Folded) -> None:
        now = self._clock.now()
        for address, took in folded.micros.items():
            if took * _REST_AFTER_FOLD > self._poll_seconds * 1_000_000:
                self._resting[address] = Instant(now + took * _REST_AFTER_FOLD)

    async def _go_on_rebuilding(self) -> bool:
        if self._rebuild is None:
            if not self._shards.to_rebuild:
                return False
            self._rebuild = await self._begin_rebuild()
        folded = await self._rebuild.step(self._shards.leases)
        if folded is not None:
            self._count(folded)
            return True
        for shard in self._rebuild.begun:  # their checkpoints say where to go on
            self._shards.forget(shard)
        for shard in self._rebuild.lost:
            self._counters.increment("relayna_read_model_leases_lost_total")
            self._shards.lose(shard)
        await self._end_rebuild()
        return True

    async def _begin_rebuild(self) -> Rebuild:
        rebuild = Rebuild(source=self._source, keys=self._keys, read_models=self._models, folder=self._folder)
        for shard, reason in self._shards.to_rebuild.items():
            await rebuild.begin(self._shards.lease(shard), cleared=reason != "feed_trimmed")
            self._counters.increment("relayna_read_model_rebuilds_total", reason=reason)
        self._shards.to_rebuild.clear()
        return rebuild

    async def _end_rebuild(self) -> None:
        if self._rebuild is not None:
            await self._rebuild.aclose()
            self._rebuild = None

    def _count(self, folded: Folded) -> None:
        for outcome, some in (
            ("folded", folded.rows),
            ("removed", folded.removed),
            ("failed", folded.failed),
        ):
            if some:
                self._counters.increment("relayna_read_model_tasks_total", len(some), outcome=outcome)

    def _failed(self, error: StoreError, *, first: bool) -> None:
        self._last_error = str(error)
        self._counters.increment("relayna_read_model_store_failures_total")
        if first:
            _logger.warning("Lists and statistics fall behind until the store answers: %s", error)

    async def _end(self) -> None:
        with anyio.move_on_after(_SECONDS_TO_END, shield=True):
            await self._end_rebuild()
            try:
                await self._shards.release()
            except StoreError as error:  # they run out
                self._failed(error, first=False)
