"""Which attempts are one row, and which messages wait."""

from __future__ import annotations

from msgspec.structs import replace
from projections.messages.session_x import rows_by_task, rows_of

from relayna.events import (
    DeadLetterRecorded,
    TaskMessageReceived,
)
from relayna.ids import EventId, MessageId, TaskId
from relayna.testing import history


def test_a_child_that_nobody_has_taken_yet_waits_as_a_row() -> None:
    parent = history("L1").published().attempt()
    parent.spawns("L2")
    child = rows_by_task(parent.acked().events)["L2"]
    assert (child.status, child.attempts, child.started_at, child.handler) == ("pending", 0, None, None)


def test_a_published_message_waits_as_a_row() -> None:
    [row] = rows_of(history("L1").published(task_type="resize").events)
    assert (row.status, row.parent_id, row.metadata) == ("pending", None, {"task_type": "resize"})


def test_retries_repeats_and_replays_are_one_row() -> None:
    attempt = history("L1").published().attempt().fails("OSError", "no disk").retried().attempt()
    [row] = rows_of(attempt.events)
    assert (row.status, row.attempts) == ("pending", 2)
    [row] = rows_of(attempt.fails("OSError", "no disk").dead_lettered().events)
    assert (row.status, row.attempts) == ("failed", 2)
    replay = attempt.replayed().attempt()
    [row] = rows_of(replay.events)
    assert (row.status, row.error) == ("pending", None)
    [row] = rows_of(replay.acked().events)
    assert (row.status, row.attempts, row.metadata["replays"]) == ("completed", 3, 1)


def test_one_message_at_two_places_is_two_rows() -> None:
    events = history("L1").published().attempt().acked().task.events
    [received] = [event for event in events if isinstance(event.body, TaskMessageReceived)]
    copy = replace(
        received,
        envelope=replace(received.envelope, event_id=EventId("f" * 16 + ".0"), attempt_id="f" * 16),
        body=replace(received.body, queue_name="audit"),
    )
    first, second = rows_of([*events, copy])
    assert (second.id, first.route, second.route) == (f"{first.id}@audit", "work", "audit")


def test_a_message_that_the_broker_gave_up_unseen_has_failed() -> None:
    task = history("L1").published()
    letter = DeadLetterRecorded(
        dead_letter_id="letter", reason="expired", message_id=MessageId(task.waiting.message_id),  # type: ignore[union-attr]
        source_queue_name="work",
    )  # fmt: skip
    task.scribe.write(TaskId("L1"), EventId("letter.dead_letter"), letter)
    [row] = rows_of(task.events)
    assert (row.status, row.route, row.attempts) == ("failed", "work", 0)
    assert row.error is not None
    assert row.error.exception_class == "expired"
