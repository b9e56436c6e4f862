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
from relayna.ids import AttemptId, EventId

__all__ = ["OwnDelivery", "PriorAttempts", "prior_attempts"]


class PriorAttempts(Struct, frozen=True, kw_only=True):
    """What happened to the same delivery before, or happens beside it."""

    closed: AttemptId | None = None
    """The attempt that closed it, other than by giving it back."""
    unfinished: int = 0
    """Attempts that began and never ended, and are not at hand here: their worker died, or lost its channel."""
    repeats: int = 0
    """How often the closed attempt's delivery came again already."""
    ahead: int = 0
    """Open attempts at other copies of the message, which go first."""


class OwnDelivery(Struct, frozen=True, kw_only=True):
    """Who asks."""

    attempt_id: AttemptId
    """Perhaps not begun yet."""
    cause: EventId | None = None
    """What published this very copy; another copy mostly has another."""
    repeated: bool = False
    """Whether the message says that there may be copies of it."""
    redelivered: bool = False


class _Begun(Struct, frozen=True):
    """An attempt at the same message as one's own."""

    cause: EventId | None
    repeated: bool
    before_own: bool


_RELEASED: Final = TaskMessageRejected.__name__


def prior_attempts(
    events: Iterable[RecordedEvent],
    identity: DeliveryIdentity,
    own: OwnDelivery,
    *,
    at_hand: Collection[AttemptId] = (),
) -> PriorAttempts:
    """Look for other attempts at this delivery among the task's events, in the log's order.

    Those `at_hand` are known to be running.
    """
    begun: dict[AttemptId, _Begun] = {}
    released: dict[AttemptId, bool] = {}
    repeats: Counter[AttemptId] = Counter()
    own_begun = False
    for event in events:
        attempt_id, body = event.envelope.attempt_id, event.body
        if attempt_id is None:
            continue
        if isinstance(body, TaskMessageReceived | AggregationMessageReceived | WorkflowMessageReceived):
            if attempt_id == own.attempt_id:
                own_begun = True
            elif _identity_of(body) == identity:
                other = _Begun(event.envelope.cause, body.repeated, not own_begun)
                begun.setdefault(attempt_id, other)
        elif closes_attempt(body):
            released[attempt_id] = isinstance(body, TaskMessageRejected) and body.requeue
        elif isinstance(body, EventsLost) and body.outcome is not None:
            # The closing event itself is lost, but not what it said.
            released.setdefault(attempt_id, body.outcome == _RELEASED)
        elif isinstance(body, DeliveryRepeated):
            repeats[attempt_id] += 1
    closed = next((attempt_id for attempt_id in begun if released.get(attempt_id) is False), None)
    running = [begun[one] for one in begun if one not in released and one not in at_hand]
    return PriorAttempts(
        closed=closed,
        unfinished=sum(one.before_own for one in running),
        repeats=repeats[closed] if closed else 0,
        ahead=sum(_goes_first(one, own, own_begun=own_begun) for one in running),
    )


def _goes_first(other: _Begun, own: OwnDelivery, *, own_begun: bool) -> bool:
    """Whether another copy's attempt is to be waited for.

    A copy that knows of no others asks nobody, so those that do let it be; among themselves the log's order decides.
    """
    if not (other.repeated or own.repeated):
        return False  # two messages that share an id by a foreign publisher's choice
    if own.redelivered and other.cause == own.cause:
        return False  # this copy itself, cut off with its channel: nobody would ever close it
    if not own_begun:
        return True
    return other.before_own if other.repeated == own.repeated else own.repeated


def _identity_of(
    body: TaskMessageReceived | AggregationMessageReceived | WorkflowMessageReceived,
) -> DeliveryIdentity | None:
    stage = body.stage if isinstance(body, WorkflowMessageReceived) else None
    place = stage or body.queue_name
    if body.message_id is None or place is None:
        return None
    return DeliveryIdentity(body.message_id, place, body.retry_attempt, body.replay_count)
