"""The public vocabulary: every event type, registered once, with its current version.

A new event type is a class in one of the files beside this one and a line in `EVENT_TYPES`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from msgspec import Struct

from relayna.events.aggregation import (
    AggregationDeadLetterPublished,
    AggregationHandlerFailed,
    AggregationMessageAcked,
    AggregationMessageReceived,
    AggregationRetryScheduled,
)
from relayna.events.dead_letter import DeadLetterRecorded, DeadLetterReplayClaimed, DeadLetterReplayed
from relayna.events.lineage import (
    ChildFinished,
    ChildRegistered,
    DecisionRecorded,
    RunEdgeRecorded,
    UsageRecorded,
)
from relayna.events.loss import EventsLost
from relayna.events.message import MessageInputRecorded, MessageOutputRecorded
from relayna.events.opaque import Opaque
from relayna.events.operator import OperatorActed
from relayna.events.status import StatusPublished
from relayna.events.task import (
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeliveryRepeated,
    TaskHandlerFailed,
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskMessageRejected,
    TaskPublished,
    TaskResourceSampled,
)
from relayna.events.trace import OutputRecorded, SpanEnded
from relayna.events.workflow import (
    WorkflowMessagePublished,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)

__all__ = [
    "CLOSING_TYPES", "CURRENT_VERSIONS", "DEAD_LETTER_TYPES", "EVENT_TYPES", "FAILED_TYPES", "RECEIVED_TYPES",
    "RETRY_TYPES", "STATUS_TYPES", "Body", "closes_attempt", "type_name",
]  # fmt: skip

Body: TypeAlias = (
    TaskPublished
    | TaskMessageReceived
    | TaskHandlerFailed
    | TaskMessageAcked
    | TaskMessageRejected
    | TaskLifecycleStatusPublished
    | TaskResourceSampled
    | ConsumerRetryScheduled
    | ConsumerDeadLetterPublished
    | DeliveryRepeated
    | AggregationMessageReceived
    | AggregationHandlerFailed
    | AggregationMessageAcked
    | AggregationRetryScheduled
    | AggregationDeadLetterPublished
    | WorkflowMessagePublished
    | WorkflowMessageReceived
    | WorkflowStageAcked
    | WorkflowStageFailed
    | StatusPublished
    | DeadLetterRecorded
    | DeadLetterReplayed
    | DeadLetterReplayClaimed
    | EventsLost
    | ChildRegistered
    | ChildFinished
    | OperatorActed
    | RunEdgeRecorded
    | UsageRecorded
    | DecisionRecorded
    | MessageInputRecorded
    | MessageOutputRecorded
    | SpanEnded
    | OutputRecorded
    | Opaque
)

EVENT_TYPES: Final[tuple[tuple[type[Struct], int], ...]] = (
    (TaskPublished, 1),
    (TaskMessageReceived, 1),
    (TaskHandlerFailed, 1),
    (TaskMessageAcked, 1),
    (TaskMessageRejected, 1),
    (TaskLifecycleStatusPublished, 1),
    (TaskResourceSampled, 1),
    (ConsumerRetryScheduled, 1),
    (ConsumerDeadLetterPublished, 1),
    (DeliveryRepeated, 1),
    (AggregationMessageReceived, 1),
    (AggregationHandlerFailed, 1),
    (AggregationMessageAcked, 1),
    (AggregationRetryScheduled, 1),
    (AggregationDeadLetterPublished, 1),
    (WorkflowMessagePublished, 1),
    (WorkflowMessageReceived, 1),
    (WorkflowStageAcked, 1),
    (WorkflowStageFailed, 1),
    (StatusPublished, 1),
    (DeadLetterRecorded, 1),
    (DeadLetterReplayed, 1),
    (DeadLetterReplayClaimed, 1),
    (EventsLost, 1),
    (ChildRegistered, 1),
    (ChildFinished, 1),
    (OperatorActed, 1),
    (RunEdgeRecorded, 1),
    (UsageRecorded, 1),
    (DecisionRecorded, 1),
    (MessageInputRecorded, 1),
    (MessageOutputRecorded, 1),
    (SpanEnded, 1),
    (OutputRecorded, 1),
)
"""Every type that may be written, with the version that this release writes."""

CURRENT_VERSIONS: Final = {event_type.__name__: version for event_type, version in EVENT_TYPES}

RECEIVED_TYPES: Final = (TaskMessageReceived, AggregationMessageReceived, WorkflowMessageReceived)
"""They open an attempt."""

FAILED_TYPES: Final = (TaskHandlerFailed, AggregationHandlerFailed, WorkflowStageFailed)
"""The handler raised; the attempt is still open."""

RETRY_TYPES: Final = (ConsumerRetryScheduled, AggregationRetryScheduled)
DEAD_LETTER_TYPES: Final = (ConsumerDeadLetterPublished, AggregationDeadLetterPublished)

CLOSING_TYPES: Final = (
    TaskMessageAcked,
    TaskMessageRejected,
    WorkflowStageAcked,
    AggregationMessageAcked,
    *RETRY_TYPES,
    *DEAD_LETTER_TYPES,
)
"""Exactly one of them closes an attempt."""

STATUS_TYPES: Final = (TaskLifecycleStatusPublished, StatusPublished)


def type_name(body: Body) -> str:
    """The event's public name: what `event_type` says in a plain record."""
    return type(body).__name__


def closes_attempt(body: Body) -> bool:
    """Whether this event ends its attempt.

    >>> closes_attempt(TaskMessageAcked()), closes_attempt(TaskHandlerFailed())
    (True, False)
    """
    return isinstance(body, CLOSING_TYPES)
