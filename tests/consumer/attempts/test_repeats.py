"""What a stream says of a delivery that may be a repeat."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from relayna.consumer.attempts.repeats import OwnDelivery, PriorAttempts, prior_attempts
from relayna.consumer.messages.incoming import DeliveryIdentity
from relayna.events import (
    AggregationMessageAcked,
    AggregationMessageReceived,
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeliveryRepeated,
    Envelope,
    EventsLost,
    RecordedEvent,
    StatusPublished,
    TaskHandlerFailed,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskMessageRejected,
    WorkflowMessageReceived,
    WorkflowStageAcked,
)
from relayna.ids import AttemptId, EventId, TaskId
from relayna.instants import Instant

IDENTITY = DeliveryIdentity("m", "work", 1, 0)
ASKING = OwnDelivery(attempt_id=AttemptId("own"), redelivered=True)
numbers = itertools.count()


def told(attempt: str | None, body: Body, *, cause: str | None = None) -> RecordedEvent:
    envelope = Envelope(
        event_id=f"e{next(numbers)}",
        cause=EventId(cause) if cause else None,
        timestamp=Instant(0),
        task_id=TaskId("order"),
        attempt_id=AttemptId(attempt) if attempt else None,
    )
    return RecordedEvent(envelope=envelope, body=body)


def begun(attempt: str | None, *, cause: str | None = None, **changes: Any) -> RecordedEvent:
    fields = {"queue_name": "work", "message_id": "m", "retry_attempt": 1, **changes}
    return told(attempt, TaskMessageReceived(**fields), cause=cause)


def prior(*events: RecordedEvent, own: str = "own", **options: Any) -> PriorAttempts:
    """As a delivery sees it that was handed out again."""
    asking = OwnDelivery(attempt_id=AttemptId(own), redelivered=True)
    return prior_attempts(events, IDENTITY, asking, **options)


def test_nothing_is_known_of_a_new_delivery() -> None:
    assert prior() == prior(told(None, StatusPublished(status="queued"))) == PriorAttempts()


@pytest.mark.parametrize(
    "closing",
    [
        TaskMessageAcked(),
        TaskMessageAcked(reason="manual_retry"),
        ConsumerRetryScheduled(),
        ConsumerDeadLetterPublished(),
        TaskMessageRejected(requeue=False),
        WorkflowStageAcked(),
        AggregationMessageAcked(),
        EventsLost(outcome="TaskMessageAcked"),
        EventsLost(outcome="ConsumerRetryScheduled"),
    ],
)
def test_a_closed_attempt_is_found(closing: Body) -> None:
    assert prior(begun("a"), told("a", TaskHandlerFailed()), told("a", closing)) == PriorAttempts(closed="a")


@pytest.mark.parametrize(
    "given_back", [TaskMessageRejected(requeue=True), EventsLost(outcome="TaskMessageRejected")]
)
def test_one_that_was_given_back_is_neither_closed_nor_unfinished(given_back: Body) -> None:
    assert prior(begun("a"), told("a", given_back)) == PriorAttempts()


def test_attempts_without_an_end_are_counted_unless_they_run_here() -> None:
    events = [begun("a"), begun("b"), told("b", TaskHandlerFailed()), begun("c"), begun("a")]
    assert prior(*events).unfinished == 3
    assert prior(*events, at_hand={"a", "x"}).unfinished == 2


def test_a_loss_that_names_no_outcome_ends_nothing() -> None:
    assert prior(begun("a"), told("a", EventsLost(reason="buffer_full"))).unfinished == 1


def test_what_is_told_wins_over_what_was_lost() -> None:
    lost = told("a", EventsLost(outcome="TaskMessageAcked"))
    given_back = told("a", TaskMessageRejected(requeue=True))
    for events in ((lost, given_back), (given_back, lost)):
        assert prior(begun("a"), *events) == PriorAttempts()


def test_repeats_of_the_closed_attempt_are_counted() -> None:
    events = [begun("a"), told("a", TaskMessageAcked()), told("b", DeliveryRepeated())]
    events += [told("a", DeliveryRepeated())] * 2
    assert prior(*events) == PriorAttempts(closed="a", repeats=2)


def test_the_first_that_closed_it_stands_for_it() -> None:
    events = [
        begun("a"),
        begun("b"),
        told("b", TaskMessageAcked()),
        begun("c"),
        told("c", TaskMessageAcked()),
    ]
    assert prior(*events) == PriorAttempts(closed="b", unfinished=1)


@pytest.mark.parametrize(
    "other",
    [
        {"message_id": "other"},
        {"message_id": None},
        {"queue_name": "other"},
        {"queue_name": None},
        {"retry_attempt": 0},
        {"replay_count": 1},
    ],
)
def test_attempts_at_other_deliveries_are_not_counted(other: dict[str, Any]) -> None:
    assert prior(begun("a", **other), told("a", TaskMessageAcked()), begun(None)) == PriorAttempts()


def test_the_place_of_a_workflow_message_is_its_stage() -> None:
    received = WorkflowMessageReceived(message_id="m", stage="pack", queue_name="q", retry_attempt=0)
    events = [told("a", received), told("a", WorkflowStageAcked())]
    assert prior_attempts(events, DeliveryIdentity("m", "pack", 0, 0), ASKING).closed == "a"
    assert prior_attempts(events, DeliveryIdentity("m", "q", 0, 0), ASKING).closed is None


def test_the_place_of_a_report_is_its_shard() -> None:
    received = AggregationMessageReceived(message_id="m", queue_name="shard.1")
    events = [told("a", received), told("a", AggregationMessageAcked())]
    assert prior_attempts(events, DeliveryIdentity("m", "shard.1", 0, 0), ASKING).closed == "a"


def test_only_what_stands_before_its_own_beginning_came_first() -> None:
    events = [begun("a"), begun("own"), begun("b"), told("b", TaskMessageAcked())]
    assert prior(*events) == PriorAttempts(unfinished=1, closed="b")
    assert prior(*events, told("a", TaskMessageAcked())).closed == "a"
    assert prior(*events[1:3]) == PriorAttempts()
    assert prior(*events[1:3], own="not stored yet") == PriorAttempts(unfinished=2)


@pytest.mark.parametrize(
    ("other", "own", "ahead"),
    [
        # (cause, says there are copies) of the other; (cause, says so, handed out again, stands behind it) of one's own
        (("a", False), ("b", True, False, True), 1),
        (("a", False), ("b", True, False, False), 1),  # a first copy asks nobody, so it goes first
        (("a", True), ("b", True, False, True), 1),
        (("a", True), ("b", True, False, False), 0),
        (("a", True), ("a", True, False, True), 1),  # published twice by the same event: a replay's race
        (("a", True), ("a", True, True, True), 0),  # this very copy, cut off
        (("a", False), ("a", False, True, True), 0),
        (("b", True), ("a", False, True, True), 0),  # has begun already, which only those that ask can undo
        (("b", False), ("a", False, True, True), 0),  # no copies, but two messages with one id
    ],
)
def test_which_copy_goes_first(
    other: tuple[str, bool], own: tuple[str, bool, bool, bool], ahead: int
) -> None:
    cause, repeated = other
    their_attempt = begun("theirs", cause=cause, repeated=repeated)
    own_attempt = begun("own")
    events = [their_attempt, own_attempt] if own[3] else [own_attempt, their_attempt]
    asking = OwnDelivery(
        attempt_id=AttemptId("own"), cause=EventId(own[0]), repeated=own[1], redelivered=own[2]
    )
    assert prior_attempts(events, IDENTITY, asking).ahead == ahead


def test_before_its_own_attempt_every_other_copy_goes_first() -> None:
    asking = OwnDelivery(attempt_id=AttemptId("own"), cause=EventId("a"), redelivered=True)
    events = [begun("same", cause="a"), begun("copy", cause="b", repeated=True)]
    assert prior_attempts(events, IDENTITY, asking) == PriorAttempts(unfinished=2, ahead=1)
    assert prior_attempts(events, IDENTITY, asking, at_hand={AttemptId("copy")}).ahead == 0
