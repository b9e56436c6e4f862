"""Statistics agree with a naive count over the graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from observability.read_models.indexed_world import (
    World,
    memory_world,
    renamed_history,
    store_events,
    tasks_of,
)

from relayna.clock import FrozenClock
from relayna.errors import InvalidQuery
from relayna.events import RecordedEvent
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.read_models import GroupOfAttempts, StatisticsService
from relayna.projections.graph import ExecutionGraphNode
from relayna.testing import history
from relayna.testing.scribe import START

pytestmark = pytest.mark.anyio

DAY = 86_400


async def attempts_in_graphs(world: World, events: Sequence[RecordedEvent]) -> list[ExecutionGraphNode]:
    graphs = ExecutionGraphService(log=world.log, clock=world.clock)
    found = []
    for task_id in tasks_of(events):
        graph = await graphs.get_graph(task_id, depth=0)
        found += [node for node in graph.nodes if node.kind in ("task_attempt", "stage_attempt")]
    return found


def statistics_of(world: World) -> StatisticsService:
    return StatisticsService(read_models=world.models, progress=world.progress(), clock=world.clock)


def counted(nodes: Sequence[ExecutionGraphNode], of: Callable[[ExecutionGraphNode], bool]) -> int:
    return sum(map(of, nodes))


def assert_counts(group: GroupOfAttempts, nodes: Sequence[ExecutionGraphNode]) -> None:
    states = [node.annotations["state"] for node in nodes]
    outcomes = [node.annotations["outcome"] for node in nodes]
    assert group.attempts == len(nodes)
    assert group.succeeded == states.count("succeeded")
    assert group.failed == states.count("failed") + states.count("dead_lettered")
    assert group.abandoned == states.count("abandoned")
    assert (group.retried, group.dead_lettered) == (
        outcomes.count("retried"),
        outcomes.count("dead_lettered"),
    )
    for durations, name in ((group.wait_ms, "queue_wait_ms"), (group.duration_ms, "duration_ms")):
        told = sorted(node.annotations[name] for node in nodes if name in node.annotations)
        assert (durations is None) == (not told)
        if durations is None:
            continue
        assert durations.count == len(told)
        assert durations.mean == pytest.approx(sum(told) / len(told), abs=0.001)
        for percent, bound in (
            (50, durations.p50_at_most),
            (90, durations.p90_at_most),
            (99, durations.p99_at_most),
        ):
            exact = told[-(-percent * len(told) // 100) - 1]
            assert exact <= bound <= exact * 1.25


async def test_they_are_what_the_graphs_add_up_to() -> None:
    world = memory_world()
    indexer = world.indexer()
    events = [event for seed in range(30) for event in renamed_history(seed)]
    await store_events(world.log, events, between=indexer.turn)
    await indexer.catch_up()
    nodes = await attempts_in_graphs(world, events)
    statistics = await statistics_of(world).statistics()
    assert len(nodes) > 100
    assert_counts(statistics.total, nodes)
    for groups, name in (
        (statistics.queues, "queue_name"),
        (statistics.stages, "stage"),
        (statistics.handlers, "consumer_name"),
    ):
        names = {node.annotations.get(name) for node in nodes} - ({None} if name == "stage" else set())
        assert {group.name for group in groups} == names
        for group in groups:
            assert_counts(group, [node for node in nodes if node.annotations.get(name) == group.name])
    rate = statistics.total.succeeded / (statistics.total.succeeded + statistics.total.failed)
    assert statistics.total.success_rate == rate


async def test_attempts_count_on_the_day_on_which_they_began() -> None:
    world = memory_world()
    assert isinstance(world.clock, FrozenClock)
    attempt = history("T").published().attempt().after(3 * DAY).fails().retried().attempt()
    await store_events(world.log, attempt.acked().events)
    world.clock.advance(3 * DAY + 60)
    await world.indexer().catch_up()
    service = statistics_of(world)
    for days, attempts, since in ((1, 1, START + 3 * DAY * 10**6), (4, 2, START)):
        statistics = await service.statistics(days=days)
        assert (statistics.total.attempts, statistics.since) == (attempts, since)
    assert (await service.statistics()).total.attempts == 2


async def test_of_nothing_there_is_nothing() -> None:
    world = memory_world()
    statistics = await statistics_of(world).statistics()
    assert (statistics.total.attempts, statistics.total.success_rate, statistics.total.wait_ms) == (
        0,
        None,
        None,
    )
    assert (statistics.queues, statistics.stages, statistics.handlers) == ([], [], [])


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_days_that_are_none_are_refused(days: int) -> None:
    with pytest.raises(InvalidQuery, match="days"):
        await statistics_of(memory_world()).statistics(days=days)
