"""Runs without a span: their attempts are the work, the time since their publish is the wait, parents are sources."""

from __future__ import annotations

import random

from relayna.events import Envelope, OutputRecorded, RecordedEvent, SpanEnded
from relayna.ids import EventId, TaskId
from relayna.projections.execution import GraphQuery
from relayna.projections.registry import execution_projection_for
from relayna.projections.trace.of_graph import graph_history
from relayna.projections.trace.plain import plain_history, session_rows
from relayna.projections.trace.profile import ProfileSummary, analyse
from relayna.testing import history


def family() -> list[RecordedEvent]:
    """A parent has a child; everything takes a second."""
    parent = history("order", tick=1).published().attempt()
    child = parent.spawns("child").attempt()
    child.acked()
    parent.acked()
    return parent.events


def of(events: list[RecordedEvent]) -> ProfileSummary:
    return analyse(plain_history("order", events))


def test_an_attempt_is_the_work_and_its_publish_began_the_wait() -> None:
    found = of(family())
    runs = {run.data_id: run for run in found.per_data_id}
    assert runs["child"].blocking_parent_data_id == "order"
    assert runs["child"].parent_data_ids == ["order"]
    assert runs["child"].queuing_delay_seconds > 0
    assert (runs["order"].blocking_parent_data_id, runs["order"].queuing_delay_seconds) == (None, 1.0)
    assert found.e2e_breakdown.hardware_summary.event_type == ["work"]
    assert found.e2e_breakdown.total_network_seconds == 0.0


def test_a_retry_is_told_apart_from_what_failed_before_and_waited_since_then() -> None:
    first = history("order", tick=1).published().attempt().fails("OSError")
    first.retried(delay_ms=2_000)
    second = first.after(2).attempt()
    second.acked()
    [run] = of(second.events).per_data_id
    graph = analyse(graph_history(drawn(second.events)))
    assert run.retry_seconds > 0
    assert run.queuing_delay_seconds >= 2
    assert graph.per_data_id[0].retry_seconds == run.retry_seconds


def test_a_task_of_many_stages_is_one_run_and_its_stages_are_its_compute() -> None:
    attempt = history("order", tick=1).enters("plan").attempt()
    write = attempt.sends("write")
    attempt.acked()
    found = of(attempt.events)
    assert write.stage == "write"
    assert found.data_ids == ["order"]
    assert found.e2e_breakdown.hardware_summary.event_type == ["plan"]


def drawn(events: list[RecordedEvent]):  # type: ignore[no-untyped-def]
    projection = execution_projection_for(["shared_tasks_shared_status"])
    state = projection.initial(TaskId("order"))
    for event in events:
        projection.apply(state, event)
    return projection.finish(state, GraphQuery())


def test_a_graph_alone_tells_the_same() -> None:
    by_events, by_graph = of(family()), analyse(graph_history(drawn(family())))
    assert by_graph.per_data_id == by_events.per_data_id
    assert by_graph.critical_path == by_events.critical_path
    assert by_graph.e2e_breakdown == by_events.e2e_breakdown


def test_the_order_in_which_events_are_read_does_not_matter() -> None:
    events = family()
    found = of(events)
    for order in range(5):
        shuffled = random.Random(order).sample(events, len(events))
        assert of(shuffled).per_data_id == found.per_data_id


def test_spans_where_there_are_some_and_attempts_where_there_are_none() -> None:
    events = family()
    start = events[0].envelope.timestamp
    envelope = Envelope(event_id=EventId("s"), timestamp=start, task_id=TaskId("child"))
    own = SpanEnded(name="gen", started_at=start, ended_at=start)
    output = OutputRecorded(data_id="child", sources=("order", "elsewhere"))
    events += [
        RecordedEvent(envelope=envelope, body=own),
        RecordedEvent(
            envelope=Envelope(event_id=EventId("o"), timestamp=start, task_id=TaskId("child")), body=output
        ),
    ]
    rows, told = session_rows("order", events)
    assert [span.body.name for span in rows.spans if span.task_id == "child"] == ["gen"]
    assert {span.body.name for span in rows.spans if span.task_id == "order"} == {"task", "work"}
    assert set(told.waited_since) == {"order"}
    assert [source.source_data_id for source in told.sources] == ["order", "elsewhere"]
