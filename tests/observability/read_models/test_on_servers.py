"""Read models on real servers say what those in memory say; and every task of the demonstration is as its graph."""

from __future__ import annotations

import random

import anyio
import pytest
from observability.read_models.indexed_world import (
    contents,
    memory_world,
    renamed_history,
    server_world,
    store_events,
    tasks_of,
)
from projections.summary_agreement import assert_agree
from servers import StoreUnderTest
from streams.log_harness import HOSTILE_TASK_IDS
from streams.redis_harness import log_on

from relayna.cli.demo.scenarios import SCENARIOS, play_all
from relayna.cli.demo.venue import MemoryVenue
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.read_models import (
    ExecutionsWanted,
    FailuresWanted,
    LeaseTerms,
    LettersWanted,
    Reindexing,
    StatisticsService,
)
from relayna.observability.stores import StatusStore
from relayna.streams import DEFAULT_TENANT, TaskAddress
from relayna.streams.redis.scanning import stream_addresses

pytestmark = pytest.mark.anyio

EVENTS = [event for seed in range(8) for event in renamed_history(seed)]
QUICK = LeaseTerms(lease=0.3, renewal=0.1, left_alone=0.05)


async def test_they_are_what_memory_has(store: StoreUnderTest) -> None:
    expected = memory_world()
    await store_events(expected.log, EVENTS)
    await expected.indexer().catch_up()
    async with log_on(store) as log:
        world = server_world(log)
        indexer = world.indexer()
        await store_events(log, EVENTS, chance=random.Random(1), between=indexer.turn)
        await indexer.catch_up()
        assert await contents(world, tasks_of(EVENTS)) == await contents(expected, tasks_of(EVENTS))


async def test_indexers_that_come_and_go_leave_what_one_makes(any_store: StoreUnderTest) -> None:
    expected = memory_world()
    await store_events(expected.log, EVENTS)
    await expected.indexer().catch_up()
    async with log_on(any_store) as log:
        world = server_world(log)
        for start in range(0, len(EVENTS), 40):
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(world.indexer(lease_terms=QUICK, poll_seconds=0.01).run)
                await store_events(log, EVENTS[start : start + 40])
                tasks.cancel_scope.cancel()
        with anyio.fail_after(60):
            await world.indexer(lease_terms=QUICK, poll_seconds=0.01).catch_up()
            while (await world.progress().as_of()).lag_ms != 0:
                await world.indexer(lease_terms=QUICK, poll_seconds=0.01).catch_up()
        assert await contents(world, tasks_of(EVENTS)) == await contents(expected, tasks_of(EVENTS))


async def test_made_anew_they_are_the_same(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        world = server_world(log)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.indexer(lease_terms=QUICK, poll_seconds=0.01).run)
            await store_events(log, EVENTS)
            with anyio.fail_after(60):
                while (await world.progress().as_of()).lag_ms != 0:  # noqa: ASYNC110 - Redis rings no bell here
                    await anyio.sleep(0.01)
                before = await contents(world, tasks_of(EVENTS))
                reindexing = Reindexing(log=log, read_models=world.models, patience_seconds=2)
                *_, done = [step async for step in reindexing.run()]
            assert (done.shards_done, done.tasks_folded) == (4, len(tasks_of(EVENTS)))
            assert await contents(world, tasks_of(EVENTS)) == before
            tasks.cancel_scope.cancel()


async def test_every_task_of_the_demonstration_is_as_its_graph(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        world = server_world(log)
        graphs = ExecutionGraphService(log=log)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.indexer(poll_seconds=0.01).run)
            await play_all(MemoryVenue(), log, DEFAULT_TENANT, graphs)
            with anyio.fail_after(60):
                while (await world.progress().as_of()).lag_ms != 0:  # noqa: ASYNC110 - Redis rings no bell here
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        played = [address async for address in stream_addresses(log) if isinstance(address, TaskAddress)]
        assert {scenario.task_id for scenario in SCENARIOS} <= {address.task_id for address in played}
        assert len(played) > 40
        attempts = 0
        for address in played:
            summary = await world.summary(address.task_id)
            assert summary is not None
            assert_agree(summary, await graphs.get_graph(address.task_id, depth=0))
            attempts += summary.attempts
        lists = world.lists()
        listed = (await lists.executions(ExecutionsWanted(limit=200))).executions
        assert {summary.task_id for summary in listed} == {address.task_id for address in played}
        (failing,) = (await lists.failures(FailuresWanted(queue="orders.charge"))).failures
        assert (failing.task_id, failing.failure.outcome) == ("order-77", "retried")
        letters = (await lists.dead_letters(LettersWanted(state="open"))).letters
        assert letters
        service = StatisticsService(read_models=world.models, progress=world.progress())
        assert (await service.statistics()).total.attempts == attempts


async def test_any_task_id_is_listed(any_store: StoreUnderTest) -> None:
    ids = [task_id for task_id in HOSTILE_TASK_IDS if "\ud800" not in task_id]
    async with log_on(any_store) as log:
        world = server_world(log)
        for task_id in ids:
            await StatusStore(log).add_status(task_id, "completed")
        await world.indexer().catch_up()
        found = []
        wanted = ExecutionsWanted(status="completed", limit=3)
        while True:
            page = await world.lists().executions(wanted)
            found += [summary.task_id for summary in page.executions]
            if page.next is None:
                break
            wanted = ExecutionsWanted(status="completed", limit=3, cursor=page.next)
    assert sorted(found) == sorted(ids)


async def test_on_a_cluster_too(cluster_store: StoreUnderTest) -> None:
    expected = memory_world()
    await store_events(expected.log, EVENTS)
    await expected.indexer().catch_up()
    async with log_on(cluster_store) as log:
        world = server_world(log)
        await store_events(log, EVENTS)
        await world.indexer().catch_up()
        assert await contents(world, tasks_of(EVENTS)) == await contents(expected, tasks_of(EVENTS))
