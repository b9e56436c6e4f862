"""Which event says what happened to a delivery: one set of words for each kind of consumer.

Owns the choice of event types. Decides nothing and records nothing.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from relayna.consumer.attempts.outcome import DeadLetter, Failed, Retry
from relayna.consumer.broker import Delivery
from relayna.consumer.messages.causal_headers import CausalHeaders
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
from relayna.topologies import dead_letter_queue_name, retry_queue_name

__all__ = ["AggregationFacts", "AttemptFacts", "DeliveryFacts", "TaskFacts", "WorkflowFacts"]


class DeliveryFacts(Struct, frozen=True, kw_only=True):
    """What every event about a delivery can say."""

    delivery: Delivery
    headers: CausalHeaders
    message_id: MessageId | None
    consumer_name: str
    max_retries: int
    task_type: str | None = None
    stage: str | None = None
    origin_stage: str | None = None
    shard: int | None = None

    @property
    def queue_name(self) -> str:
        """The queue that it came from."""
        return self.delivery.queue_name


class AttemptFacts(Protocol):
    """The words of one kind of consumer."""

    def received(self, of: DeliveryFacts) -> Body:
        """The handler is about to start."""

    def failed(self, of: DeliveryFacts, failure: Failed) -> Body:
        """The handler raised."""

    def acked(self, of: DeliveryFacts, *, reason: str | None, joined: tuple[MessageId, ...]) -> Body:
        """It is done."""

    def retry_scheduled(self, of: DeliveryFacts, retry: Retry) -> Body:
        """A copy waits."""

    def dead_lettered(self, of: DeliveryFacts, letter: DeadLetter) -> Body:
        """It was given up."""


class TaskFacts:
    """A task on a shared or routed queue."""

    def received(self, of: DeliveryFacts) -> Body:
        """The handler is about to start."""
        return TaskMessageReceived(
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            message_id=of.message_id,
            task_type=of.task_type,
            retry_attempt=of.headers.retry_attempt,
            replay_count=of.headers.replay_count,
            routing_key=of.delivery.routing_key,
            delivery_tag=of.delivery.delivery_tag,
            delivery_count=of.delivery.delivery_count,
            redelivered=of.delivery.redelivered,
            repeated=of.headers.repeated,
            batch_id=of.headers.batch_id,
        )

    def failed(self, of: DeliveryFacts, failure: Failed) -> Body:
        """The handler raised."""
        return TaskHandlerFailed(
            exception_type=failure.exception_type,
            exception_message=failure.exception_message,
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=of.headers.retry_attempt,
            traceback=failure.traceback,
        )

    def acked(self, of: DeliveryFacts, *, reason: str | None, joined: tuple[MessageId, ...]) -> Body:
        """It is done."""
        return TaskMessageAcked(
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            delivery_tag=of.delivery.delivery_tag,
            reason=reason,
        )

    def retry_scheduled(self, of: DeliveryFacts, retry: Retry) -> Body:
        """A copy waits in the retry queue of its delay."""
        return ConsumerRetryScheduled(
            queue_name=retry_queue_name(of.queue_name, retry.delay_ms),
            source_queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=retry.retry_attempt,
            max_retries=of.max_retries,
            delay_ms=retry.delay_ms,
            reason=retry.reason,
            message_id=of.message_id,
            stage=of.stage,
        )

    def dead_lettered(self, of: DeliveryFacts, letter: DeadLetter) -> Body:
        """It was given up."""
        return ConsumerDeadLetterPublished(
            queue_name=dead_letter_queue_name(of.queue_name),
            source_queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=of.headers.retry_attempt,
            max_retries=of.max_retries,
            reason=letter.reason,
            exception_type=letter.exception_type,
            message_id=of.message_id,
            stage=of.stage,
        )


class AggregationFacts:
    """A child's report on a shard's queue."""

    def received(self, of: DeliveryFacts) -> Body:
        """The handler is about to start."""
        return AggregationMessageReceived(
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            message_id=of.message_id,
            shard=of.shard,
            retry_attempt=of.headers.retry_attempt,
            replay_count=of.headers.replay_count,
            routing_key=of.delivery.routing_key,
            delivery_tag=of.delivery.delivery_tag,
            delivery_count=of.delivery.delivery_count,
            redelivered=of.delivery.redelivered,
            repeated=of.headers.repeated,
        )

    def failed(self, of: DeliveryFacts, failure: Failed) -> Body:
        """The handler raised."""
        return AggregationHandlerFailed(
            exception_type=failure.exception_type,
            exception_message=failure.exception_message,
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=of.headers.retry_attempt,
            traceback=failure.traceback,
        )

    def acked(self, of: DeliveryFacts, *, reason: str | None, joined: tuple[MessageId, ...]) -> Body:
        """It is taken in."""
        return AggregationMessageAcked(
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            delivery_tag=of.delivery.delivery_tag,
            reason=reason,
        )

    def retry_scheduled(self, of: DeliveryFacts, retry: Retry) -> Body:
        """A copy waits in the retry queue of its delay."""
        return AggregationRetryScheduled(
            queue_name=retry_queue_name(of.queue_name, retry.delay_ms),
            source_queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=retry.retry_attempt,
            max_retries=of.max_retries,
            delay_ms=retry.delay_ms,
            reason=retry.reason,
            message_id=of.message_id,
        )

    def dead_lettered(self, of: DeliveryFacts, letter: DeadLetter) -> Body:
        """It was given up."""
        return AggregationDeadLetterPublished(
            queue_name=dead_letter_queue_name(of.queue_name),
            source_queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=of.headers.retry_attempt,
            max_retries=of.max_retries,
            reason=letter.reason,
            exception_type=letter.exception_type,
            message_id=of.message_id,
        )


class WorkflowFacts(TaskFacts):
    """A message at a stage; its retries and dead letters are told as a task's, with the stage."""

    def received(self, of: DeliveryFacts) -> Body:
        """The stage's handler is about to start."""
        return WorkflowMessageReceived(
            message_id=of.message_id,
            stage=of.stage,
            origin_stage=of.origin_stage,
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=of.headers.retry_attempt,
            replay_count=of.headers.replay_count,
            routing_key=of.delivery.routing_key,
            delivery_tag=of.delivery.delivery_tag,
            delivery_count=of.delivery.delivery_count,
            redelivered=of.delivery.redelivered,
            repeated=of.headers.repeated,
        )

    def failed(self, of: DeliveryFacts, failure: Failed) -> Body:
        """The stage's handler raised."""
        return WorkflowStageFailed(
            stage=of.stage,
            message_id=of.message_id,
            exception_type=failure.exception_type,
            exception_message=failure.exception_message,
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            retry_attempt=of.headers.retry_attempt,
            traceback=failure.traceback,
        )

    def acked(self, of: DeliveryFacts, *, reason: str | None, joined: tuple[MessageId, ...]) -> Body:
        """The stage is done with it."""
        return WorkflowStageAcked(
            stage=of.stage,
            message_id=of.message_id,
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            delivery_tag=of.delivery.delivery_tag,
            reason=reason,
            joined_message_ids=joined,
        )
