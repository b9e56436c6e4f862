"""Read models in memory: the contract, and what only memory lets a test see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from streams.log_harness import address, appended_ids
from streams.read_models_contract import ReadModelsContract
from streams.read_models_harness import SHARDS, Place, keep, row_for

from relayna.clock import FrozenClock
from relayna.streams.log import Append
from relayna.streams.memory import MemoryLog
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.streams.read_models import FEED_KEPT_SECONDS, Checkpoint, CountKey, Lease


class MemoryModelsHarness:
    """A memory log, its read models and their clock."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self._places: dict[int, Place] = {}

    @asynccontextmanager
    async def open(self, *, shard_count: int = SHARDS) -> AsyncIterator[Place]:
        if shard_count not in self._places:
            log = MemoryLog(shard_count=shard_count, clock=self.clock)
            models = MemoryReadModels(log, clock=self.clock, feed_kept_seconds=0)
            self._places[shard_count] = Place(log, models)
        yield self._places[shard_count]

    async def run_out(self, lease: Lease) -> None:
        self.clock.advance(601)


class TestMemoryReadModels(ReadModelsContract):
    @pytest.fixture
    def harness(self) -> MemoryModelsHarness:
        return MemoryModelsHarness()


@pytest.mark.anyio
async def test_young_references_stay_for_whoever_walks_behind() -> None:
    clock = FrozenClock()
    log = MemoryLog(shard_count=1, clock=clock)
    models = MemoryReadModels(log, clock=clock)
    for _ in range(3):
        appended_ids(await log.append([Append(address("t"), b"x")]))
        clock.advance(FEED_KEPT_SECONDS / 2 + 1)
    feed = await log.read_feed(0)
    (lease,) = await models.acquire([0], "me", seconds=60)
    checkpoint = Checkpoint(fold_version=1, position=feed[-1].stream_id)

    assert await models.store(lease, checkpoint=checkpoint) == "stored"
    assert await log.read_feed(0) == feed[2:]


@pytest.mark.anyio
async def test_what_is_taken_back_leaves_nothing() -> None:
    log = MemoryLog(shard_count=1)
    models = MemoryReadModels(log)
    await keep(Place(log, models), [row_for("t", counts={CountKey(1, "g", "m"): 1})])
    await keep(Place(log, models), [], removed=[address("t")])

    assert models._shards[0].tenants == {}
