"""The vocabulary: what can be said about a task. Pure data, its codec, and old shapes made new."""

from relayna.events.aggregation import (
    AggregationDeadLetterPublished,
    AggregationHandlerFailed,
    AggregationMessageAcked,
    AggregationMessageReceived,
    AggregationRetryScheduled,
)
from relayna.events.codec import Frame, decode_frame, encode_event, encode_frame
from relayna.events.dead_letter import DeadLetterRecorded, DeadLetterReplayClaimed, DeadLetterReplayed
from relayna.events.envelope import Envelope, Event, RecordedEvent
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
from relayna.events.plain import PlainList, from_plain, to_plain
from relayna.events.redaction import DEFAULT_REDACTION, Redact, Redaction, redact_keys, redaction_of
from relayna.events.status import FAILED_STATUSES, TERMINAL_STATUSES, StatusPublished
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
from relayna.events.vocabulary import EVENT_TYPES, Body, closes_attempt, type_name
from relayna.events.workflow import (
    WorkflowMessagePublished,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)

__all__ = [
    "AggregationDeadLetterPublished",
    "AggregationHandlerFailed",
    "AggregationMessageAcked",
    "AggregationMessageReceived",
    "AggregationRetryScheduled",
    "Body",
    "ChildFinished",
    "ChildRegistered",
    "ConsumerDeadLetterPublished",
    "ConsumerRetryScheduled",
    "DeadLetterRecorded",
    "DeadLetterReplayClaimed",
    "DeadLetterReplayed",
    "DEFAULT_REDACTION",
    "DecisionRecorded",
    "DeliveryRepeated",
    "EVENT_TYPES",
    "Envelope",
    "Event",
    "EventsLost",
    "Frame",
    "MessageInputRecorded",
    "MessageOutputRecorded",
    "Opaque",
    "OperatorActed",
    "OutputRecorded",
    "PlainList",
    "RecordedEvent",
    "Redact",
    "Redaction",
    "RunEdgeRecorded",
    "SpanEnded",
    "StatusPublished",
    "FAILED_STATUSES",
    "TERMINAL_STATUSES",
    "TaskHandlerFailed",
    "TaskLifecycleStatusPublished",
    "TaskMessageAcked",
    "TaskMessageReceived",
    "TaskMessageRejected",
    "TaskPublished",
    "TaskResourceSampled",
    "UsageRecorded",
    "WorkflowMessagePublished",
    "WorkflowMessageReceived",
    "WorkflowStageAcked",
    "WorkflowStageFailed",
    "closes_attempt",
    "decode_frame",
    "encode_event",
    "encode_frame",
    "from_plain",
    "redact_keys",
    "redaction_of",
    "to_plain",
    "type_name",
]
