"""Which session is analysed: by any of its tasks, and by a name that no task has."""

from __future__ import annotations

import pytest
from observability.read_models.indexed_world import memory_world, store_events
from projections.lineage.told_facts import told

from relayna.errors import ExecutionNotFound
from relayna.events import RecordedEvent, SpanEnded, TaskMessageReceived
from relayna.instants import Instant
from relayna.observability.trace.trace_service import TraceService
from relayna.testing import history
from relayna.testing.scribe import START

pytestmark = pytest.mark.anyio


def worked(task_id: str, at: int, *, session: str) -> list[RecordedEvent]:
    """A delivery of a task that no other task names, and a span."""
    began = START // 1_000_000 + at
    body = SpanEnded(
        name="load", started_at=Instant(began * 1_000_000), ended_at=Instant((began + 1) * 1_000_000)
    )
    return [
        told(task_id, began, TaskMessageReceived(queue_name="work"), f"{task_id}.0", session=session),
        told(task_id, began, body, f"{task_id}.{at}", session=session),
    ]


async def test_a_session_that_no_task_is_named_after() -> None:
    world = memory_world()
    await store_events(world.log, [*worked("a", 1, session="night"), *worked("b", 2, session="night")])
    await store_events(world.log, worked("c", 3, session="day"))
    service = TraceService(log=world.log, clock=world.clock, runs=world.runs())
    with pytest.raises(ExecutionNotFound):
        await service.analysis("night")  # nothing is indexed yet
    await world.indexer().catch_up()
    found = await service.analysis("night")
    assert (found.workflow_id, found.data_ids, found.event_count) == ("night", ["a", "b"], 2)
    with pytest.raises(ExecutionNotFound):
        await service.analysis("dusk")


async def test_a_session_that_is_deeper_than_is_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayna.observability.trace.trace_service._GENERATIONS", 1)
    world = memory_world()
    first = history("t0").published()
    attempt = first.attempt()
    second = attempt.spawns("t1").attempt()
    await store_events(world.log, first.events)
    service = TraceService(log=world.log, clock=world.clock)
    assert (await service.session("t0")).missing == []
    second.spawns("t2")
    await store_events(world.log, first.events)
    assert (await service.session("t0")).missing == ["limit_reached"]
