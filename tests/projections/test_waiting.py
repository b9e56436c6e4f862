"""What a task that has not ended waits for."""

from __future__ import annotations

from collections.abc import Sequence

from relayna.events import RecordedEvent
from relayna.projections.execution import GraphQuery
from relayna.projections.failure import explain_failure
from relayna.projections.registry import EXECUTION_PROJECTIONS
from relayna.projections.task_why import TaskWhy
from relayna.testing import history


def why(events: Sequence[RecordedEvent], root: str) -> TaskWhy:
    projection = EXECUTION_PROJECTIONS[0]
    state = projection.initial(root)
    for event in events:
        projection.apply(state, event)
    return explain_failure(projection.finish(state, GraphQuery()))


def test_a_retry_that_is_due_is_what_is_waited_for() -> None:
    begun = (
        history("order-7").published().attempt().fails("TimeoutError", "no answer").retried(delay_ms=5_000)
    )
    told = why(begun.events, "order-7")
    [awaited] = told.waits_for
    assert (awaited.kind, awaited.node) == ("retry", "retry:order-7:1")
    assert awaited.since is not None
    assert awaited.due_at is not None
    assert awaited.due_at > awaited.since
    assert told.sentence.startswith(
        f"order-7 has not ended: retry 1 is due at {awaited.due_at}, after attempt 1"
    )
    assert len(told.causes) == 1


def test_a_message_that_nobody_received_is_waited_for() -> None:
    told = why(history("order-7").published().events, "order-7")
    assert [(awaited.kind, awaited.task_id) for awaited in told.waits_for] == [("message", "order-7")]
    assert told.sentence == "order-7 has not ended: nobody has received order-7."
    staged = history("order-8", lifecycle_statuses=False).enters("validate").attempt()
    staged.sends("charge")
    told = why(staged.acked().events, "order-8")
    assert [(awaited.kind, awaited.label) for awaited in told.waits_for] == [("message", "charge")]


def test_an_attempt_that_runs_is_waited_for() -> None:
    told = why(history("order-7").published().attempt().events, "order-7")
    assert [(awaited.kind, awaited.label) for awaited in told.waits_for] == [("attempt", "order-7 attempt 1")]


def test_a_child_that_has_not_ended_is_waited_for() -> None:
    parent = history("order-7").published().attempt()
    parent.spawns("page-1").published()
    told = why(parent.events, "order-7")
    assert {awaited.kind for awaited in told.waits_for} == {"attempt", "child"}


def test_what_has_ended_waits_for_nothing() -> None:
    done = history("order-7").published().attempt().acked()
    assert why(done.events, "order-7").waits_for == []


def test_a_retry_without_a_delay_is_due_at_once() -> None:
    begun = history("order-7").published().attempt().fails().retried()
    [awaited] = why(begun.events, "order-7").waits_for
    assert awaited.due_at == awaited.since
