"""The graph service: which streams it reads, and what it says when they cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from observability.telling import tell
from servers import StoreUnderTest

from relayna.clock import FrozenClock
from relayna.errors import ExecutionNotFound, InvalidQuery, InvalidSetting, StoreRefused
from relayna.events import (
    ChildFinished,
    ChildRegistered,
    StatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
)
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService, RedisObservationStore
from relayna.streams import MemoryLog, StreamPage, StreamRange, TaskAddress
from relayna.streams.redis import RedisLog
from relayna.topologies import SharedStatusWorkflowTopology as Workflow
from relayna.topologies import WorkflowEntryRoute, WorkflowStage

pytestmark = pytest.mark.anyio

WEEK = 7 * 86_400


class CountingLog(MemoryLog):
    """Counts round trips."""

    round_trips = 0

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        self.round_trips += 1
        return await super().read(ranges)


async def test_a_store_is_no_log() -> None:
    with pytest.raises(InvalidSetting, match=r"a RedisObservationStore is a view of one; pass store\.log"):
        ExecutionGraphService(log=RedisObservationStore("redis://localhost"))  # type: ignore[arg-type]


async def test_a_task_is_one_round_trip_and_an_aggregation_two() -> None:
    clock = FrozenClock()
    async with CountingLog(clock=clock) as log:
        await tell(log, clock, "alone", TaskMessageReceived())
        children = [TaskId(f"child-{number}") for number in range(100)]
        await tell(log, clock, "parent", *(ChildRegistered(child_task_id=child) for child in children))
        for child in children:
            await tell(log, clock, child, TaskMessageReceived())
        service = ExecutionGraphService(log=log, clock=clock)
        await service.get_graph("alone")
        assert log.round_trips == 1
        graph = await service.get_graph("parent")
        assert log.round_trips == 3
        assert len(graph.nodes) == 201


async def test_unknown_tasks_are_not_found() -> None:
    async with MemoryLog() as log:
        with pytest.raises(ExecutionNotFound):
            await ExecutionGraphService(log=log).get_graph("T")


@pytest.mark.parametrize(
    ("question", "parameter"),
    [
        ({"at": "yesterday"}, "at"),
        ({"depth": -1}, "depth"),
        ({"depth": 51}, "depth"),
        ({"max_nodes": 0}, "max_nodes"),
    ],
)
async def test_meaningless_questions_are_refused(question: dict[str, int | str], parameter: str) -> None:
    async with MemoryLog() as log:
        with pytest.raises(InvalidQuery) as caught:
            await ExecutionGraphService(log=log).get_graph("T", **question)  # type: ignore[arg-type]
    assert caught.value.parameter == parameter


async def test_the_kind_comes_from_the_records_unless_it_is_configured() -> None:
    clock = FrozenClock()
    stage = WorkflowStage(name="s", queue="q", binding_keys=("k",), publish_routing_key="k")
    workflow = Workflow(
        rabbitmq_url="amqp://localhost",
        workflow_exchange="w",
        status_exchange="s",
        status_queue="sq",
        stages=(stage,),
        entry_routes=(WorkflowEntryRoute(name="e", routing_key="e", target_stage="s"),),
    )
    async with MemoryLog(clock=clock) as log:
        await tell(log, clock, "T", TaskMessageReceived(), kind="routed_tasks_shared_status")
        recorded = await ExecutionGraphService(log=log).get_graph("T")
        assert recorded.topology_kind == "routed_tasks_shared_status"
        configured = await ExecutionGraphService(log=log, topology=workflow).get_graph("T")
        assert configured.topology_kind == "shared_status_workflow"


async def test_children_are_read_as_deep_as_was_asked() -> None:
    clock = FrozenClock()
    async with MemoryLog(clock=clock) as log:
        for parent, child in (("a", "b"), ("b", "c"), ("c", "d")):
            await tell(log, clock, parent, ChildRegistered(child_task_id=TaskId(child)))
        await tell(log, clock, "d", TaskMessageReceived())
        service = ExecutionGraphService(log=log, clock=clock)
        shallow = await service.get_graph("a", depth=1)
        assert shallow.related_task_ids == ["b", "c"]
        assert shallow.annotations["truncated"]["depth"]["children_not_expanded"] == 1
        assert "limit_reached" in shallow.annotations["completeness"]
        whole = await service.get_graph("a")
        assert whole.related_task_ids == ["b", "c", "d"]
        assert "truncated" not in whole.annotations


async def test_a_circle_of_parents_ends() -> None:
    clock = FrozenClock()
    async with MemoryLog(clock=clock) as log:
        await tell(log, clock, "a", ChildRegistered(child_task_id=TaskId("b")))
        await tell(log, clock, "b", ChildRegistered(child_task_id=TaskId("a")))
        graph = await ExecutionGraphService(log=log, clock=clock).get_graph("a", depth=50)
        assert "cycle" in graph.annotations["completeness"]


async def test_a_missing_child_is_missing_until_its_retention_has_passed() -> None:
    clock = FrozenClock()
    async with MemoryLog(clock=clock, retention_seconds=4 * WEEK) as log:
        await tell(
            log,
            clock,
            "P",
            TaskMessageReceived(),
            ChildFinished(child_task_id=TaskId("C"), status="completed"),
        )
        service = ExecutionGraphService(log=log, clock=clock, retention_seconds=WEEK)
        assert (await service.get_graph("P")).annotations["completeness"] == ["child_missing"]
        clock.advance(WEEK + 1)
        assert (await service.get_graph("P")).annotations["completeness"] == ["child_expired"]


async def test_more_tasks_than_may_be_read_are_told() -> None:
    clock = FrozenClock()
    async with MemoryLog(clock=clock) as log:
        children = [TaskId(f"child-{number:02}") for number in range(20)]
        await tell(
            log,
            clock,
            "P",
            TaskMessageReceived(),
            *(ChildRegistered(child_task_id=child) for child in children),
        )
        for child in children:
            await tell(log, clock, child, TaskMessageReceived(), TaskMessageAcked())
        graph = await ExecutionGraphService(log=log, clock=clock, max_tasks=11).get_graph("P")
        assert graph.annotations["completeness"] == ["limit_reached"]
        assert len([node for node in graph.nodes if node.kind == "task_attempt"]) == 11
        assert len([node for node in graph.nodes if node.kind == "aggregation_child"]) == 20


async def test_at_shows_what_had_happened_by_then() -> None:
    clock = FrozenClock()
    async with MemoryLog(clock=clock) as log:
        await tell(log, clock, "T", StatusPublished(status="processing"))
        clock.advance(10)
        await tell(log, clock, "T", StatusPublished(status="completed"))
        service = ExecutionGraphService(log=log, clock=clock)
        assert (await service.get_graph("T", at="2026-01-01T00:00:09Z")).summary.status == "processing"
        assert (await service.get_graph("T", at="2026-01-01T00:00:10Z")).summary.status == "completed"


async def test_a_child_whose_key_is_no_stream_harms_no_other(store: StoreUnderTest) -> None:
    clock = FrozenClock()
    async with RedisLog(store.url, prefix=store.prefix) as log:
        children = [TaskId(name) for name in ("good", "bad")]
        await tell(log, clock, "P", *(ChildRegistered(child_task_id=child) for child in children))
        await tell(log, clock, "good", TaskMessageReceived())
        store.admin.set(log.keys.events(TaskAddress(TaskId("bad"))), "no stream", ex=60)
        service = ExecutionGraphService(log=log)
        graph = await service.get_graph("P")
        assert "task-attempt:good:1" in {node.id for node in graph.nodes}
        assert "limit_reached" in graph.annotations["completeness"]
        with pytest.raises(StoreRefused):
            await service.get_graph("bad")


async def test_a_trimmed_stream_is_partial_with_that_reason(store: StoreUnderTest) -> None:
    clock = FrozenClock()
    async with RedisLog(store.url, prefix=store.prefix) as log:
        for status in ("processing", "half", "completed"):
            await tell(log, clock, "T", StatusPublished(status=status), TaskMessageReceived())
            clock.advance(1)
        store.admin.xtrim(log.keys.events(TaskAddress(TaskId("T"))), maxlen=2, approximate=False)
        graph = await ExecutionGraphService(log=log).get_graph("T")
        assert graph.annotations["completeness"] == ["trimmed"]
        assert graph.summary.graph_completeness == "partial"


@pytest.mark.parametrize("task_id", [7, None, "\ud800"])
async def test_an_id_that_is_none_is_refused(task_id: Any) -> None:
    async with MemoryLog() as log:
        with pytest.raises(InvalidQuery, match="task_id"):
            await ExecutionGraphService(log=log).get_graph(task_id)
