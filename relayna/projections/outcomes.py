"""How an attempt ended, and what that says about its state. Owns the table; looks at no other attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from relayna.events import (
    AggregationDeadLetterPublished,
    AggregationMessageAcked,
    AggregationRetryScheduled,
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    TaskMessageAcked,
    TaskMessageRejected,
    WorkflowStageAcked,
)
from relayna.projections.graph import NodeState

__all__ = [
    "ABANDONED",
    "DEAD_LETTERED",
    "MANUAL_RETRY",
    "RUNNING",
    "UNKNOWN",
    "Outcome",
    "outcome_by",
    "outcome_named",
    "outcome_of",
]


class Outcome(Struct, frozen=True, gc=False):
    """The end of an attempt, or that there is none yet."""

    name: str
    state: NodeState
    weight: int = 0
    """Foreign records may tell two ends of one attempt; the heavier one is what happened."""


RUNNING: Final = Outcome("running", "running")
ABANDONED: Final = Outcome("abandoned", "abandoned")
UNKNOWN: Final = Outcome("unknown", "unknown")
DEAD_LETTERED: Final = Outcome("dead_lettered", "dead_lettered", 5)
_RETRIED: Final = Outcome("retried", "failed", 4)
MANUAL_RETRY: Final = Outcome("manual_retry", "succeeded", 3)
_REJECTED: Final = Outcome("rejected", "failed", 2)
_RELEASED: Final = Outcome("released", "abandoned", 2)
_ACKED: Final = Outcome("acked", "succeeded", 1)

_BY_TYPE: Final = {
    TaskMessageAcked: _ACKED,
    WorkflowStageAcked: _ACKED,
    AggregationMessageAcked: _ACKED,
    TaskMessageRejected: _REJECTED,
    ConsumerRetryScheduled: _RETRIED,
    AggregationRetryScheduled: _RETRIED,
    ConsumerDeadLetterPublished: DEAD_LETTERED,
    AggregationDeadLetterPublished: DEAD_LETTERED,
}
_BY_NAME: Final = {event_type.__name__: outcome for event_type, outcome in _BY_TYPE.items()}


def outcome_of(closings: Sequence[Body]) -> Outcome | None:
    """What the closing events of one attempt say together; none while there are none."""
    if not closings:
        return None
    if len(closings) == 1:
        return outcome_by(closings[0])
    return max(map(outcome_by, closings), key=lambda outcome: (outcome.weight, outcome.name))


def outcome_named(type_name: str | None) -> Outcome:
    """What a lost closing event of this type would have said."""
    return _BY_NAME.get(type_name or "", UNKNOWN)


def outcome_by(body: Body) -> Outcome:
    """What one closing event says."""
    outcome = _BY_TYPE[type(body)]
    if outcome is _ACKED and getattr(body, "reason", None) == "manual_retry":
        return MANUAL_RETRY
    if isinstance(body, TaskMessageRejected) and body.requeue:
        return _RELEASED
    return outcome
