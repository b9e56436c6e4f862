"""Made anew, read models say the same to the byte; beside live indexers too."""

from __future__ import annotations

import anyio
import pytest
from observability.read_models.indexed_world import (
    contents,
    memory_world,
    renamed_history,
    store_events,
    tasks_of,
)

from relayna.clock import FrozenClock
from relayna.observability.read_models import Reindexing, ReindexProgress
from relayna.streams import MemoryLog, TaskAddress
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.streams.read_models import CountKey, Row
from relayna.testing.scribe import START

pytestmark = pytest.mark.anyio

EVENTS = [event for seed in range(10) for event in renamed_history(seed)]


async def finished(reindexing: Reindexing) -> ReindexProgress:
    """Go through with it; how far it came in the end."""
    steps = [step async for step in reindexing.run()]
    folded = [step.tasks_folded for step in steps]
    assert folded == sorted(folded)
    return steps[-1]


async def test_it_is_the_same_to_the_byte() -> None:
    world = memory_world()
    assert isinstance(world.clock, FrozenClock)
    indexer = world.indexer()
    await store_events(world.log, EVENTS, between=indexer.turn)
    await indexer.catch_up()
    tasks = tasks_of(EVENTS)
    addresses = [TaskAddress(task) for task in tasks]  # type: ignore[arg-type]
    before = await contents(world, tasks), await world.models.rows(addresses)
    world.clock.advance(16)
    reindexing = Reindexing(log=world.log, read_models=world.models, clock=world.clock)
    assert await reindexing.count_tasks() == len(tasks)
    done = await finished(reindexing)
    assert (done.tasks_folded, done.tasks_failed, done.shards_done) == (len(tasks), 0, 4)
    assert await contents(world, tasks) == before[0]
    after = await world.models.rows(addresses)
    assert [row and (row.data, row.version) for row in after] == [
        row and (row.data, row.version) for row in before[1]
    ]


async def test_what_was_wrong_is_gone_afterwards() -> None:
    world = memory_world()
    await store_events(world.log, EVENTS)
    expected = memory_world()
    await store_events(expected.log, EVENTS)
    await expected.indexer().catch_up()
    address = TaskAddress("stranger")  # type: ignore[arg-type]
    (lease,) = await world.models.acquire([world.log.keys.shard_of(address)], "vandal", seconds=60)
    wrong = Row(
        address=address,
        version="1-0",  # type: ignore[arg-type]
        data=b"?",
        terms=frozenset(),
        counts={CountKey(START // 86_400_000_000, "?", "attempts"): 7},
        expires_at=START,
    )
    await world.models.store(lease, rows=[wrong])
    await world.models.release([lease])
    await finished(Reindexing(log=world.log, read_models=world.models, clock=world.clock))
    tasks = [*tasks_of(EVENTS), "stranger"]
    assert await contents(world, tasks) == await contents(expected, tasks)


class _Clock(FrozenClock):
    """Moves on by itself when somebody sleeps."""

    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.advance(seconds / 2)  # two sleep at a time here


async def test_live_indexers_give_way_and_go_on() -> None:
    clock = _Clock()
    log = MemoryLog(shard_count=8, clock=clock)
    world = memory_world()
    world.log, world.models, world.clock = log, MemoryReadModels(log, clock=clock), clock
    half = len(EVENTS) // 2
    await store_events(log, EVENTS[:half])
    indexer = world.indexer()
    await indexer.catch_up()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(indexer.run)
        done = await finished(Reindexing(log=log, read_models=world.models, clock=clock))
        assert done.shards_done == 8
        await store_events(log, EVENTS[half:])
        while (await world.progress().as_of()).lag_ms != 0:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    expected = memory_world()
    await store_events(expected.log, EVENTS)
    await expected.indexer().catch_up()
    assert await contents(world, tasks_of(EVENTS)) == await contents(expected, tasks_of(EVENTS))
