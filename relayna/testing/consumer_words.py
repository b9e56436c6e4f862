"""Which events each kind of consumer has for its deliveries: of tasks, of workflow messages, of children's reports.

Owns the choice, by the message's kind. Knows no ids.
"""

from __future__ import annotations

from relayna.events import (
    AggregationDeadLetterPublished,
    AggregationHandlerFailed,
    AggregationMessageAcked,
    AggregationMessageReceived,
    AggregationRetryScheduled,
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    TaskHandlerFailed,
    TaskMessageAcked,
    TaskMessageReceived,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)
from relayna.ids import MessageId
from relayna.testing.scribe import Sent

__all__ = ["acked", "dead_lettered", "failed", "received", "retry_scheduled"]


def received(message: Sent, *, redelivered: bool, delivery_count: int | None) -> Body:
    """The delivery reached its consumer."""
    delivery = {
        "message_id": message.message_id,
        "retry_attempt": message.retry_attempt,
        "replay_count": message.replay_count,
        "redelivered": redelivered,
        "delivery_count": delivery_count,
        "queue_name": "work",
    }
    if message.kind == "workflow":
        stages = {"stage": message.stage, "origin_stage": message.origin_stage}
        return WorkflowMessageReceived(**delivery, **stages)  # type: ignore[arg-type]
    event_type = AggregationMessageReceived if message.kind == "aggregation" else TaskMessageReceived
    return event_type(**delivery)  # type: ignore[arg-type]


def failed(message: Sent, exception_type: str, text: str | None) -> Body:
    """The handler raised."""
    if message.kind == "workflow":
        return WorkflowStageFailed(
            stage=message.stage,
            message_id=message.message_id,
            exception_type=exception_type,
            exception_message=text,
            retry_attempt=message.retry_attempt,
        )
    event_type = AggregationHandlerFailed if message.kind == "aggregation" else TaskHandlerFailed
    return event_type(
        exception_type=exception_type, exception_message=text, retry_attempt=message.retry_attempt
    )


def acked(message: Sent, *, reason: str | None = None, joined: tuple[MessageId, ...] = ()) -> Body:
    """It is done."""
    if message.kind == "workflow":
        return WorkflowStageAcked(
            stage=message.stage, message_id=message.message_id, reason=reason, joined_message_ids=joined
        )
    return (
        AggregationMessageAcked(reason=reason)
        if message.kind == "aggregation"
        else TaskMessageAcked(reason=reason)
    )


def retry_scheduled(message: Sent, *, delay_ms: int) -> Body:
    """A copy waits; it says the number of the coming attempt."""
    number = message.retry_attempt + 1
    if message.kind == "aggregation":
        return AggregationRetryScheduled(
            retry_attempt=number, delay_ms=delay_ms, message_id=message.message_id, source_queue_name="work"
        )
    return ConsumerRetryScheduled(
        retry_attempt=number,
        delay_ms=delay_ms,
        message_id=message.message_id,
        stage=message.stage,
        source_queue_name="work",
    )


def dead_lettered(message: Sent, reason: str) -> Body:
    """It was given up; it says the number of its own attempt."""
    number = message.retry_attempt
    if message.kind == "aggregation":
        return AggregationDeadLetterPublished(
            retry_attempt=number, reason=reason, message_id=message.message_id, source_queue_name="work"
        )
    return ConsumerDeadLetterPublished(
        retry_attempt=number,
        reason=reason,
        message_id=message.message_id,
        stage=message.stage,
        source_queue_name="work",
    )
