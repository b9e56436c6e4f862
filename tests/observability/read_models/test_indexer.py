"""The indexer: whatever happens to it, and in whatever order things are appended, the rows are those of the streams."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from observability.read_models.indexed_world import (
    World,
    contents,
    memory_world,
    renamed_history,
    store_events,
    tasks_of,
)
from projections.summary_agreement import assert_agree

from relayna.clock import FrozenClock
from relayna.errors import StoreUnreachable
from relayna.events import RecordedEvent
from relayna.ids import TaskId, Tenant
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.read_models import ExecutionsWanted, LeaseTerms
from relayna.observability.read_models.indexer import Indexer
from relayna.observability.read_models.terms import FOLD_VERSION
from relayna.streams import Backoff, MemoryLog, TaskAddress
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.streams.read_models import Checkpoint
from relayna.testing import history

pytestmark = pytest.mark.anyio

SEEDS = range(20_260_101, 20_260_107)


class Told:
    """Counters that can be read."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        told = "".join(f".{value}" for value in labels.values())
        self.counts[name + told] = self.counts.get(name + told, 0) + by


async def indexed(events: Sequence[RecordedEvent]) -> tuple[Any, ...]:
    """What one indexer makes of these events when nothing disturbs it."""
    world = memory_world()
    await store_events(world.log, events)
    await world.indexer().catch_up()
    return await contents(world, tasks_of(events))


def some_events(seed: int, families: int = 4) -> list[RecordedEvent]:
    return [event for one in range(families) for event in renamed_history(seed * 100 + one)]


async def test_every_row_says_what_the_graph_says() -> None:
    world = memory_world()
    events = some_events(SEEDS[0], 12)
    indexer = world.indexer()
    await store_events(world.log, events, between=indexer.turn)
    await indexer.catch_up()
    graphs = ExecutionGraphService(log=world.log, clock=world.clock)
    for task_id in tasks_of(events):
        summary = await world.summary(task_id)
        assert summary is not None
        assert_agree(summary, await graphs.get_graph(task_id, depth=0))


@pytest.mark.parametrize("seed", SEEDS)
async def test_shuffled_and_repeated_appends_give_the_same(seed: int) -> None:
    events = some_events(seed)
    chance = random.Random(seed)
    world = memory_world()
    indexer = world.indexer()
    shuffled = chance.sample(events, len(events))
    await store_events(world.log, shuffled, chance=chance, between=indexer.turn)
    await indexer.catch_up()
    assert await contents(world, tasks_of(events)) == await indexed(events)


class Killed(BaseException):
    """As SIGKILL: nothing is cleared up."""


class DeadlyModels:
    """Kills whoever makes the call that is next when its lives are used up, before it is carried out or after."""

    def __init__(self, models: MemoryReadModels) -> None:
        self.models = models
        self.lives: int | None = None
        self.carries_out = False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.models, name)

        async def deadly(*arguments: Any, **named: Any) -> Any:
            if self.lives is not None:
                self.lives -= 1
                if self.lives < 0:
                    if self.carries_out:
                        await call(*arguments, **named)
                    raise Killed
            return await call(*arguments, **named)

        return deadly


async def _turn_until_killed(indexer: Indexer) -> None:
    try:
        while True:
            await indexer.turn()
    except* Killed:  # perhaps while it wrote to several shards
        pass


@pytest.mark.parametrize("seed", SEEDS)
async def test_killed_indexers_leave_what_one_that_lives_makes(seed: int) -> None:
    chance = random.Random(seed)
    world = memory_world()
    deadly = DeadlyModels(world.models)  # type: ignore[arg-type]
    events = some_events(seed)
    parts = [events[start : start + 25] for start in range(0, len(events), 25)]
    for part in parts:
        await store_events(world.log, part, chance=chance)
        deadly.lives, deadly.carries_out = chance.randint(0, 12), chance.random() < 0.5
        indexer = Indexer(log=world.log, read_models=deadly, clock=world.clock)
        await _turn_until_killed(indexer)
        deadly.lives = None
        assert isinstance(world.clock, FrozenClock)
        world.clock.advance(16)  # the leases of the dead run out
        if chance.random() < 0.5:
            survivor = world.indexer()
            await survivor.turn()
            await survivor.turn()
            world.clock.advance(16)
    await world.indexer().catch_up()
    assert await contents(world, tasks_of(events)) == await indexed(events)


async def test_two_indexers_share_the_shards_and_make_what_one_makes() -> None:
    events = some_events(SEEDS[0], 8)
    world = memory_world(shard_count=16)
    assert isinstance(world.clock, FrozenClock)
    first, second = world.indexer(owner="first"), world.indexer(owner="second")
    alone = await first.turn()
    assert alone
    assert first.state.shards_held == 16
    for start in range(0, len(events), 10):
        await store_events(world.log, events[start : start + 10])
        for _ in range(4):
            await second.turn()
            await first.turn()
            world.clock.advance(0.25)
    held = first.state.shards_held, second.state.shards_held
    assert sum(held) <= 16
    assert min(held) >= 4
    for _ in range(40):
        world.clock.advance(0.25)
        await first.turn()
        await second.turn()
    whole = memory_world()
    await store_events(whole.log, events)
    await whole.indexer().catch_up()
    assert await contents(world, tasks_of(events)) == await contents(whole, tasks_of(events))


async def test_what_one_does_not_hold_any_more_it_does_not_write() -> None:
    world = memory_world(shard_count=1)
    assert isinstance(world.clock, FrozenClock)
    told = Told()
    slow = world.indexer(counters=told, owner="slow", lease_terms=LeaseTerms(lease=15, renewal=60))
    await slow.catch_up()
    world.clock.advance(20)
    quick = world.indexer(owner="quick")
    await quick.catch_up()
    await store_events(world.log, history("T").published().events)
    await slow.turn()
    assert told.counts["relayna_read_model_leases_lost_total"] == 1
    assert slow.state.shards_held == 0
    assert await world.summary("T") is None
    await quick.catch_up()
    assert await world.summary("T") is not None


async def test_another_version_of_the_fold_starts_over() -> None:
    world = memory_world(shard_count=1)
    events = history("T").published().attempt().acked().events
    await store_events(world.log, events)
    assert isinstance(world.clock, FrozenClock)
    await world.indexer().catch_up()
    world.clock.advance(16)
    (lease,) = await world.models.acquire([0], "b", seconds=1)
    (row,) = await world.models.rows([TaskAddress(TaskId("T"))])
    assert row is not None
    position = (await world.models.checkpoints([0]))[0]
    assert position is not None
    older = Checkpoint(fold_version=FOLD_VERSION - 1, position=position.position)
    await world.models.store(lease, removed=[row.address], checkpoint=older)
    await world.models.release([lease])

    told = Told()
    await world.indexer(counters=told).catch_up()
    assert told.counts == {
        "relayna_read_model_rebuilds_total.version": 1,
        "relayna_read_model_tasks_total.folded": 1,
    }
    assert (await world.models.checkpoints([0]))[0] == position
    assert await contents(world, ["T"]) == await indexed(events)


async def test_a_feed_that_was_trimmed_unread_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    world = memory_world(shard_count=1)
    assert isinstance(world.clock, FrozenClock)
    assert isinstance(world.log, MemoryLog)
    told = Told()
    indexer = world.indexer(counters=told)
    await store_events(world.log, history("T").published().events)
    await indexer.catch_up()
    await store_events(world.log, history("missed").published().events)
    world.clock.advance(1)
    await store_events(world.log, history("U").published().events)
    feed = await world.log.read_feed(0)
    world.log.trim_feed(0, before=feed[-1].stream_id)
    await indexer.catch_up()
    assert await world.summary("missed") is not None
    assert told.counts["relayna_read_model_rebuilds_total.feed_trimmed"] == 1
    assert "does not reach back" in caplog.text


async def test_a_stream_that_is_gone_takes_its_row_along() -> None:
    world = memory_world(retention_seconds=60, open_retention_seconds=60)
    assert isinstance(world.clock, FrozenClock)
    events = some_events(SEEDS[0], 1)
    indexer = world.indexer()
    await store_events(world.log, events)
    await indexer.catch_up()
    world.clock.advance(62)
    for _ in range(12):
        await indexer.turn()
        world.clock.advance(0.25)
    _, index, counts = await contents(world, tasks_of(events))
    assert (index, counts) == ({}, {})
    page = await world.lists().executions(ExecutionsWanted())
    assert page.executions == []


async def test_a_stream_that_was_kept_longer_after_all_keeps_its_row() -> None:
    world = memory_world(retention_seconds=60, open_retention_seconds=60)
    assert isinstance(world.clock, FrozenClock)
    first, *rest = history("T").published().attempt().acked().events
    indexer = world.indexer()
    await store_events(world.log, [first])
    await indexer.catch_up()
    world.clock.advance(50)
    await store_events(world.log, rest)
    await indexer.catch_up()
    world.clock.advance(15)
    for _ in range(12):
        await indexer.turn()
        world.clock.advance(0.25)
    summary = await world.summary("T")
    assert summary is not None
    assert summary.status == "completed"


async def test_a_task_that_never_stops_does_not_take_all_the_time() -> None:
    world = memory_world(shard_count=1)
    assert isinstance(world.clock, FrozenClock)
    clock = world.clock
    told = Told()
    indexer = Indexer(log=world.log, read_models=world.models, clock=_Slow(clock), counters=told)
    await indexer.catch_up()
    folds = []
    attempt = history("T").published().attempt()
    for number in range(30):
        attempt = attempt.status(f"step {number}")
        await store_events(world.log, attempt.events[-1:])
        await indexer.turn()
        folds.append(told.counts.get("relayna_read_model_tasks_total.folded", 0))
    assert folds[0] == 1
    # A fold takes a second here and a turn about as long: one fold, then ten seconds of rest.
    assert folds[-1] <= 5
    assert indexer.state.tasks_waiting == 1
    assert indexer.state.lag_seconds > 0
    clock.advance(60)
    await indexer.turn()
    assert indexer.state.tasks_waiting == 0


class _Slow:
    """A clock on which half a second passes with every look."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock

    def now(self) -> Any:
        self._clock.advance(0.25)
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()


class FailingModels(DeadlyModels):
    """Fails instead."""

    failures = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.models, name)

        async def failing(*arguments: Any, **named: Any) -> Any:
            if self.lives is not None:
                self.lives -= 1
                if self.lives < 0:
                    self.lives = None
                    self.failures += 1
                    if self.carries_out:
                        await call(*arguments, **named)
                    raise StoreUnreachable("redis://nowhere", "refused")
            return await call(*arguments, **named)

        return failing


class _Impatient(FrozenClock):
    """Moves on by itself when somebody sleeps."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_store_that_fails_now_and_then_ends_nothing(seed: int) -> None:
    chance = random.Random(seed)
    clock = _Impatient()
    log = MemoryLog(shard_count=4, clock=clock)
    models = MemoryReadModels(log, clock=clock)
    failing = FailingModels(models)
    told = Told()
    indexer = Indexer(
        log=log, read_models=failing, clock=clock, counters=told, backoff=Backoff(draw=lambda: 0.5)
    )
    events = some_events(seed)
    world = World(log, models, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(indexer.run)
        for start in range(0, len(events), 10):
            await store_events(log, events[start : start + 10])
            failing.lives, failing.carries_out = chance.randint(0, 9), chance.random() < 0.5
            while failing.lives is not None:
                await anyio.lowlevel.checkpoint()
        while await is_behind(world, indexer):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert told.counts["relayna_read_model_store_failures_total"] == failing.failures > 5
    assert await contents(world, tasks_of(events)) == await indexed(events)


async def is_behind(world: World, indexer: Indexer) -> bool:
    as_of = await world.progress().as_of()
    state = indexer.state
    return bool(as_of.as_of is None or as_of.lag_ms or state.tasks_waiting or state.last_error)


async def test_when_it_ends_others_need_not_wait() -> None:
    world = memory_world()
    indexer = world.indexer()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(indexer.run)
        while indexer.state.shards_held < 4:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert len(await world.models.acquire(range(4), "another", seconds=1)) == 4


async def test_tenants_do_not_see_each_other() -> None:
    world = memory_world()
    one, other = Tenant("one"), Tenant("other")
    await store_events(world.log, history("T").published().attempt().acked().events, tenant=one)
    await store_events(world.log, history("T").published().events, tenant=other)
    await world.indexer().catch_up()
    for tenant, status in ((one, "completed"), (other, None)):
        (summary,) = (await world.lists(tenant).executions(ExecutionsWanted())).executions
        assert (summary.task_id, summary.status) == ("T", status)
    assert (await world.lists().executions(ExecutionsWanted())).executions == []
