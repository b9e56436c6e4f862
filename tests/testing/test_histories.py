"""The builder writes what relayna's consumers record."""

from __future__ import annotations

import pytest

from relayna.events import TaskMessageReceived, closes_attempt
from relayna.testing import Sent, history
from relayna.testing.scribe import START


def test_ids_causes_and_numbers_of_an_attempt() -> None:
    events = history("T").published().attempt().status("sent").acked().events
    published, *told = [event.envelope for event in events]
    assert published.event_id == "00000000000000000000000000000001.published"
    assert [envelope.seq for envelope in told] == [0, 1, 2, 3, 4]
    assert [envelope.event_id for envelope in told] == [f"0000000000000002.{seq}" for seq in range(5)]
    assert [envelope.cause for envelope in told] == [published.event_id, *(one.event_id for one in told[:-1])]
    assert [closes_attempt(event.body) for event in events] == [False] * 5 + [True]


def test_a_retried_copy_is_the_same_message_and_names_what_sent_it() -> None:
    first = history("T").published().attempt().fails().retried()
    second = first.attempt()
    received = next(event.body for event in second.events if event.envelope.attempt_id == second.attempt_id)
    assert isinstance(received, TaskMessageReceived)
    assert (received.message_id, received.retry_attempt) == (first.message.message_id, 1)
    assert second.message.cause == first.last_event_id


def test_time_passes_when_told_and_each_worker_has_its_clock() -> None:
    events = (
        history("T", tick=0, lifecycle_statuses=False).published().after(2).attempt(skew=-60).acked().events
    )
    assert [(event.envelope.timestamp - START) // 1_000_000 for event in events] == [0, -58, -58]
    assert [event.first_append_ms for event in events] == [
        START // 1000,
        START // 1000 + 2000,
        START // 1000 + 2000,
    ]


def test_a_childs_story_is_told_in_both_streams() -> None:
    parent = history("T").published().attempt()
    child = parent.spawns("C").attempt().acked()
    told = [(event.envelope.task_id, event.envelope.event_id) for event in child.events]
    registered = f"{parent.attempt_id}.2"
    assert ("T", registered) in told
    assert ("C", f"{registered}@C") in told
    assert child.message.cause == registered
    assert ("T", f"{child.attempt_id}.2@T") in told  # its end
    assert {event.envelope.parent_task_id for event in child.events if event.envelope.task_id == "C"} == {"T"}


def test_a_repeated_delivery_ends_with_the_same_message() -> None:
    first = history("T").published().attempt().status("completed").status("extra")
    second = first.redelivered().status("completed").status("extra")
    told = [
        (getattr(event.body, "status", ""), getattr(event.body, "message_id", "")) for event in second.events
    ]
    assert len({message_id for status, message_id in told if status == "completed"}) == 1
    assert len({message_id for status, message_id in told if status == "extra"}) == 2


def test_each_kind_of_message_has_its_own_words() -> None:
    def words(sent: Sent) -> set[str]:
        story = history("T")
        attempt = story.attempt(sent).fails().retried().attempt().dead_lettered(stored=False)
        story.attempt(sent).acked()
        return {type(event.body).__name__ for event in attempt.events}

    message = {"message_id": "m", "cause": None}
    assert "AggregationDeadLetterPublished" in words(Sent(**message, kind="aggregation"))  # type: ignore[arg-type]
    assert "WorkflowStageAcked" in words(Sent(**message, kind="workflow", stage="s"))  # type: ignore[arg-type]
    assert "TaskMessageAcked" in words(Sent(**message))  # type: ignore[arg-type]


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(ValueError, match="no message to handle"):
        history("T").attempt()
    with pytest.raises(ValueError, match="none to relay"):
        history("T", lifecycle_statuses=False).published().attempt().relayed()
    with pytest.raises(ValueError, match="no letter to replay"):
        history("T").published().attempt().replayed()
