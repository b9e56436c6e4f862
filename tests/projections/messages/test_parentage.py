"""From which row each message came."""

from __future__ import annotations

from msgspec.structs import replace
from projections.messages.session_x import rows_of

from relayna.events import (
    ChildRegistered,
    TaskMessageReceived,
)
from relayna.ids import EventId, TaskId
from relayna.testing import history


def test_who_asks_to_be_handled_again_is_not_done_before_that_is() -> None:
    attempt = history("L1").published().attempt().manually_retried()
    first, waiting = rows_of(attempt.events)
    assert (first.status, first.pending_children, first.done) == ("completed", 1, False)
    assert (waiting.status, waiting.parent_id) == ("pending", first.id)
    again = attempt.attempt()
    first, second = rows_of(again.acked().events)
    assert (second.parent_id, first.done) == (first.id, True)


def test_stages_follow_from_one_another() -> None:
    ingest = history("L1").enters("ingest").attempt()
    one, two = ingest.sends("cut"), ingest.sends("glue")
    ingest.acked()
    ingest.task.attempt(one).acked()
    rows = rows_of(ingest.task.attempt(two).fails("OSError").dead_lettered().events)
    root = rows[0]
    assert [(row.route, row.status, row.parent_id) for row in rows] == [
        ("ingest", "completed", None),
        ("cut", "completed", root.id),
        ("glue", "failed", root.id),
    ]
    assert root.done


def test_a_report_comes_from_the_attempt_that_sent_it() -> None:
    parent = history("L1").published().attempt()
    child = parent.spawns("L2").attempt()
    child.task.attempt(child.reports()).acked()
    rows = rows_of(parent.acked().events)
    [report] = [row for row in rows if row.task_id == "L2" and row.parent_id != rows[0].id]
    assert report.parent_id == next(row.id for row in rows if row.task_id == "L2" and row.id != report.id)


def test_parents_in_a_circle_are_cut() -> None:
    one = history("L1").published().attempt()
    one.spawns("L2").attempt()
    events = one.events
    [registered] = [event for event in events if isinstance(event.body, ChildRegistered)]
    [of_two] = [
        event
        for event in events
        if isinstance(event.body, TaskMessageReceived) and event.envelope.task_id == "L2"
    ]
    back = replace(
        registered,
        envelope=replace(
            registered.envelope, event_id=EventId(f"{of_two.envelope.attempt_id}.9"),
            attempt_id=of_two.envelope.attempt_id, task_id=TaskId("L2"), seq=9,
        ),
        body=ChildRegistered(child_task_id=TaskId("L1"), message_id=one.message.message_id),
    )  # fmt: skip
    parents = [row.parent_id for row in rows_of([*events, back])]
    assert parents.count(None) == 1
