"""What a task's stream says of a delivery that may be a repeat.

Owns the question "was this handled to its end before, and how often was it begun?". Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from msgspec import Struct

from relayna.consumer.messages.incoming import DeliveryIdentity
from relayna.events import (
    AggregationMessageReceived,
    DeliveryRepeated,
    EventsLost,
    RecordedEvent,
    TaskMessageReceived,
    TaskMessageRejected,
    WorkflowMessageReceived,
    closes_attempt,
)
from relayna.ids import AttemptId

__all__ = ["PriorAttempts", "prior_attempts"]


class PriorAttempts(Struct, frozen=True, kw_only=True):
    """What happened to the same delivery before."""

    closed: AttemptId | None = None
    """The attempt that closed it, other than by giving it back."""
    unfinished: int = 0
    """Attempts that began and never ended, and are not at hand here: their worker died, or lost its channel."""
    repeats: int = 0
    """How often the closed attempt's delivery came again already."""


_RELEASED: Final = TaskMessageRejected.__name__


def prior_attempts(
    events: Iterable[RecordedEvent], identity: DeliveryIdentity, *, at_hand: Collection[AttemptId] = ()
) -> PriorAttempts:
    """Look for attempts of this delivery among the task's events; those `at_hand` are known to be running."""
    begun: dict[AttemptId, None] = {}
    released: dict[AttemptId, bool] = {}
    repeats: Counter[AttemptId] = Counter()
    for event in events:
        attempt_id, body = event.envelope.attempt_id, event.body
        if attempt_id is None:
            continue
        if isinstance(body, TaskMessageReceived | AggregationMessageReceived | WorkflowMessageReceived):
            if _identity_of(body) == identity:
                begun[attempt_id] = None
        elif closes_attempt(body):
            released[attempt_id] = isinstance(body, TaskMessageRejected) and body.requeue
        elif isinstance(body, EventsLost) and body.outcome is not None:
            # The closing event itself is lost, but not what it said.
            released.setdefault(attempt_id, body.outcome == _RELEASED)
        elif isinstance(body, DeliveryRepeated):
            repeats[attempt_id] += 1
    closed = next((attempt_id for attempt_id in begun if released.get(attempt_id) is False), None)
    return PriorAttempts(
        closed=closed,
        unfinished=sum(attempt_id not in released and attempt_id not in at_hand for attempt_id in begun),
        repeats=repeats[closed] if closed else 0,
    )


def _identity_of(
    body: TaskMessageReceived | AggregationMessageReceived | WorkflowMessageReceived,
) -> DeliveryIdentity | None:
    stage = body.stage if isinstance(body, WorkflowMessageReceived) else None
    place = stage or body.queue_name
    if body.message_id is None or place is None:
        return None
    return DeliveryIdentity(body.message_id, place, body.retry_attempt, body.replay_count)
