"""Run records in memory: the contract, and what a clock does to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from streams.log_harness import address
from streams.read_models_harness import DAY, NOW, SHARDS, Place
from streams.run_records_contract import RunPlace, RunRecordsContract, run_for

from relayna.clock import FrozenClock
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.memory import MemoryLog
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.streams.memory_run_records import MemoryRunRecords
from relayna.streams.read_models import Lease


class MemoryRunsHarness:
    def __init__(self) -> None:
        self.clock = FrozenClock()
        self._places: dict[int, RunPlace] = {}

    @asynccontextmanager
    async def open(self, *, shard_count: int = SHARDS) -> AsyncIterator[RunPlace]:
        if shard_count not in self._places:
            log = MemoryLog(shard_count=shard_count, clock=self.clock)
            models = MemoryReadModels(log, clock=self.clock)
            self._places[shard_count] = RunPlace(Place(log, models), models.run_records)
        yield self._places[shard_count]

    async def run_out(self, lease: Lease) -> None:
        self.clock.advance(601)


class TestMemoryRunRecords(RunRecordsContract):
    @pytest.fixture
    def harness(self) -> MemoryRunsHarness:
        return MemoryRunsHarness()


@pytest.mark.anyio
async def test_records_are_gone_a_week_after_they_may_be() -> None:
    clock = FrozenClock(NOW)
    records = MemoryRunRecords(clock=clock)
    records.keep([run_for("t", kept=DAY)])
    clock.advance(7.5 * 86_400)
    assert await records.of_run(address("t")) == run_for("t", kept=DAY)
    clock.advance(86_400)
    assert await records.of_run(address("t")) is None
    assert await records.weeks(DEFAULT_TENANT) == []
