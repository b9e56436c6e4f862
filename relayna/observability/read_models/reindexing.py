"""All read models made anew from the streams, at an operator's word, beside indexers that go on.

Owns how shards that others hold are come by: live indexers give theirs up in turn (`leases.py`), and what is free
is taken and kept until all is there, or no more comes for a while.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from relayna.clock import Clock, SystemClock
from relayna.observability.read_models.folding import TaskFolder
from relayna.observability.read_models.leases import LeaseTerms, ShardLeases
from relayna.observability.read_models.rebuild import Rebuild
from relayna.observability.read_models.sources import LogSource, source_of
from relayna.observability.run_records.retention import RunRetention
from relayna.streams import Log
from relayna.streams.read_models import ReadModels
from relayna.topologies import Topology

__all__ = ["Reindexing", "ReindexProgress"]

_SECONDS_BETWEEN_TRIES: Final = 0.1
_PATIENCE_SECONDS: Final = 30.0


class ReindexProgress(Struct, kw_only=True):
    """How far it is."""

    shards: int
    shards_done: int = 0
    shards_held: int = 0
    tasks_folded: int = 0
    tasks_failed: int = 0


class Reindexing:
    """One time round. The log must be open."""

    def __init__(
        self,
        *,
        log: Log,
        read_models: ReadModels,
        topology: Topology | None = None,
        run_retention: RunRetention | None = None,
        source: LogSource | None = None,
        lease_terms: LeaseTerms | None = None,
        patience_seconds: float = _PATIENCE_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        """Works on what it has once no more shards have come free for `patience_seconds`: each walk is over all tasks.

        Raises `InvalidSetting` for a log that is neither in memory nor on servers, without a `source`.
        """
        self._keys = log.keys
        self._models = read_models
        self._clock = clock or SystemClock()
        self._source = source or source_of(log)
        self._folder = TaskFolder(log, clock=self._clock, topology=topology, retention=run_retention)
        self._terms = lease_terms
        self._patience_micros = round(patience_seconds * 1_000_000)
        self._left = set(range(log.keys.shard_count))
        self._progress = ReindexProgress(shards=log.keys.shard_count)

    async def count_tasks(self) -> int:
        """How many tasks there are to fold. Raises `StoreError`."""
        return sum([1 async for _ in self._source.addresses()])

    async def run(self) -> AsyncGenerator[ReindexProgress, None]:
        """Make all of it anew; tells how far it is, again and again. Raises `StoreError`."""
        while self._left:
            leases = ShardLeases(self._models, sorted(self._left), clock=self._clock, terms=self._terms)
            try:
                async for progress in self._come_by(leases):
                    yield progress
                async for progress in self._rebuild(leases):
                    yield progress
            finally:
                await leases.release(list(leases.held))

    async def _come_by(self, leases: ShardLeases) -> AsyncGenerator[ReindexProgress, None]:
        came_at = self._clock.now()
        while True:
            before = len(leases.held)
            await leases.turn(busy=self._left)
            self._progress.shards_held = len(leases.held)
            yield replace(self._progress)
            now = self._clock.now()
            came_at = now if len(leases.held) > before else came_at
            waited = now - came_at >= self._patience_micros
            if len(leases.held) == len(self._left) or (leases.held and waited):
                return
            await self._clock.sleep(_SECONDS_BETWEEN_TRIES)

    async def _rebuild(self, leases: ShardLeases) -> AsyncGenerator[ReindexProgress, None]:
        rebuild = Rebuild(source=self._source, keys=self._keys, read_models=self._models, folder=self._folder)
        try:
            for lease in list(leases.held.values()):
                await rebuild.begin(lease, cleared=True)
            while (folded := await rebuild.step(leases.held)) is not None:
                self._progress.tasks_folded += len(folded.rows)
                self._progress.tasks_failed += len(folded.failed)
                yield replace(self._progress)
                await leases.turn(busy=self._left)
        finally:
            await rebuild.aclose()
        self._left -= set(rebuild.begun) - rebuild.lost
        self._progress.shards_done = self._progress.shards - len(self._left)
        yield replace(self._progress)
