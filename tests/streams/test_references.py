"""What a child's facts leave in its parent's stream."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from events.event_strategies import events, odd_values
from hypothesis import given
from hypothesis import strategies as st
from streams.recording_steps import NOW, said

from relayna.events import (
    AggregationDeadLetterPublished,
    ChildFinished,
    ChildRegistered,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    Envelope,
    Event,
    EventsLost,
    StatusPublished,
    TaskLifecycleStatusPublished,
    TaskMessageReceived,
)
from relayna.ids import EventId, TaskId
from relayna.streams.references import parent_of, references

PARENT = TaskId("parent")
CHILD_DIGEST = hashlib.sha256(b"child").hexdigest()[:32]


def of_child(body: Any, **envelope: Any) -> Event:
    return said(body, task="child", **{"parent_task_id": PARENT, "producer": "other", **envelope})


def test_any_event_of_a_child_registers_it() -> None:
    event = of_child(TaskMessageReceived(), seq=0, session_id="run", correlation_id="thread")
    assert references(event, "p1") == [
        Event(
            envelope=Envelope(
                event_id=EventId(f"{CHILD_DIGEST}.registered.p1"),
                timestamp=NOW,
                task_id=PARENT,
                session_id="run",
                correlation_id="thread",
                producer="p1",
            ),
            body=ChildRegistered(child_task_id=TaskId("child")),
        )
    ]


def test_a_child_has_one_registration_a_process_whichever_event_says_it() -> None:
    [first] = references(of_child(TaskMessageReceived(), seq=0), "p1")
    [second] = references(of_child(StatusPublished(status="processing")), "p1")
    [elsewhere] = references(of_child(TaskMessageReceived(), seq=0), "p2")
    assert first.envelope.event_id == second.envelope.event_id != elsewhere.envelope.event_id


@pytest.mark.parametrize(
    ("body", "final"),
    [
        (StatusPublished(status="completed"), "completed"),
        (TaskLifecycleStatusPublished(status="failed"), "failed"),
        (ConsumerDeadLetterPublished(), "dead_lettered"),
        (AggregationDeadLetterPublished(), "dead_lettered"),
    ],
)
def test_the_end_of_a_child_is_told_as_a_copy(body: Any, final: str) -> None:
    event = of_child(body, seq=4, cause="cause.1")
    [_, end] = references(event, "p1")
    assert end.body == ChildFinished(child_task_id=TaskId("child"), status=final)
    assert end.envelope == Envelope(
        event_id=EventId(f"{event.envelope.event_id}@parent"),
        timestamp=NOW,
        task_id=PARENT,
        cause=EventId("cause.1"),
        producer="other",
    )


def test_the_copy_of_a_copy_names_the_own_id() -> None:
    event = of_child(StatusPublished(status="completed"), event_id="m.status@child")
    assert references(event, "p1")[1].envelope.event_id == "m.status@parent"


@pytest.mark.parametrize(
    "body",
    [StatusPublished(status="processing"), ConsumerRetryScheduled(), TaskMessageReceived()],
)
def test_what_ends_nothing_only_registers(body: Any) -> None:
    assert [type(event.body) for event in references(of_child(body, seq=1), "p1")] == [ChildRegistered]


def test_a_topology_may_have_other_terminal_statuses() -> None:
    event = of_child(StatusPublished(status="archived"))
    assert len(references(event, "p1")) == 1
    assert len(references(event, "p1", {"archived"})) == 2


@pytest.mark.parametrize("shape", [StatusPublished, TaskLifecycleStatusPublished])
def test_a_status_may_name_the_parent_in_its_meta(shape: Any) -> None:
    event = said(shape(status="completed", meta={"parent_task_id": "parent"}), task="child")
    assert [reference.envelope.task_id for reference in references(event, "p1")] == [PARENT, PARENT]


def test_the_envelope_wins_over_meta() -> None:
    event = of_child(StatusPublished(status="new", meta={"parent_task_id": "another"}))
    assert parent_of(event) == PARENT


@pytest.mark.parametrize(
    "event",
    [
        said(TaskMessageReceived(), task="child", seq=0),
        of_child(TaskMessageReceived(), seq=0, parent_task_id="child"),
        of_child(TaskMessageReceived(), seq=0, parent_task_id=""),
        of_child(ChildRegistered(child_task_id=TaskId("grandchild"))),
        of_child(ChildFinished(child_task_id=TaskId("grandchild"))),
        of_child(EventsLost(count=1)),
        said(StatusPublished(status="completed", meta={"parent_task_id": 7}), task="child"),
        said(StatusPublished(status="completed", meta={"parent_task_id": "child"}), task="child"),
    ],
    ids=["orphan", "own parent", "empty", "registered", "finished", "lost", "no text", "own parent in meta"],
)
def test_what_leaves_nothing(event: Event) -> None:
    assert references(event, "p1") == []


@given(event=events)
def test_references_leave_no_references(event: Event) -> None:
    for reference in references(event, "p1"):
        assert reference.envelope.seq is None
        assert reference.envelope.attempt_id is None
        assert references(reference, "p1") == []


@given(
    ids=st.tuples(*[odd_values] * 4),
    status=odd_values,
    meta=odd_values | st.fixed_dictionaries({"parent_task_id": odd_values}),
)
def test_odd_values_raise_nothing(ids: tuple[Any, ...], status: Any, meta: Any) -> None:
    event_id, task_id, parent, cause = ids
    envelope = Envelope(event_id=event_id, timestamp=NOW, task_id=task_id, parent_task_id=parent, cause=cause)
    event = Event(envelope=envelope, body=StatusPublished(status=status, meta=meta))
    assert len(references(event, "p1")) <= 2
