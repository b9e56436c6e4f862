"""Facts about tasks on shared and routed queues, and about any consumer's retries and dead letters.

Owns shapes only. Fields are append-only: new ones go last and have a default.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from relayna.ids import MessageId

__all__ = [
    "ConsumerDeadLetterPublished",
    "ConsumerRetryScheduled",
    "DeliveryRepeated",
    "TaskHandlerFailed",
    "TaskLifecycleStatusPublished",
    "TaskMessageAcked",
    "TaskMessageReceived",
    "TaskMessageRejected",
    "TaskPublished",
    "TaskResourceSampled",
]


class TaskPublished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A task's message was confirmed by the broker; also told in a child's stream by the parent's attempt."""

    message_id: MessageId | None = None
    task_type: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    meta: dict[str, Any] | None = None  # Any: the user's own JSON object
    batch_id: str | None = None


class TaskMessageReceived(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A delivery reached a consumer and its handler is about to start. Opens an attempt."""

    queue_name: str | None = None
    consumer_name: str | None = None
    message_id: MessageId | None = None
    task_type: str | None = None
    retry_attempt: int = 0
    replay_count: int = 0
    routing_key: str | None = None
    delivery_tag: int | None = None
    delivery_count: int | None = None
    redelivered: bool = False
    batch_id: str | None = None
    repeated: bool = False
    """A copy of its message may lie in a queue beside it."""


class TaskHandlerFailed(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The handler raised. What became of the delivery is told by the event that closes the attempt."""

    exception_type: str | None = None
    exception_message: str | None = None
    queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int = 0
    traceback: str | None = None
    """Where it was raised, without secrets; its end, when it is long."""


class TaskMessageAcked(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The delivery is done. Closes the attempt; `reason` is `manual_retry` when the handler asked for one."""

    queue_name: str | None = None
    consumer_name: str | None = None
    delivery_tag: int | None = None
    reason: str | None = None


class TaskMessageRejected(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The delivery was given back (`requeue` true) or refused for good. Closes the attempt."""

    queue_name: str | None = None
    consumer_name: str | None = None
    delivery_tag: int | None = None
    requeue: bool = False
    reason: str | None = None


class TaskLifecycleStatusPublished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The consumer itself published a status: processing, retrying, completed or failed."""

    status: str
    message: str | None = None
    meta: dict[str, Any] | None = None  # Any: the user's own JSON object
    message_id: MessageId | None = None
    stage: str | None = None


class TaskResourceSampled(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """What the process used: CPU seconds since its start and resident bytes."""

    sample_kind: str | None = None
    cpu_process_seconds: float | None = None
    memory_rss_bytes: int | None = None


class ConsumerRetryScheduled(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A copy of the message waits in a retry queue. Closes the attempt."""

    queue_name: str | None = None
    source_queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int | None = None
    max_retries: int | None = None
    delay_ms: int | None = None
    reason: str | None = None
    message_id: MessageId | None = None
    stage: str | None = None


class ConsumerDeadLetterPublished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The message was given up and lies in the dead-letter queue. Closes the attempt."""

    queue_name: str | None = None
    source_queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int | None = None
    max_retries: int | None = None
    reason: str | None = None
    exception_type: str | None = None
    message_id: MessageId | None = None
    stage: str | None = None


class DeliveryRepeated(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A delivery whose attempt was already closed came again (a lost ack); it was settled, not handled."""

    queue_name: str | None = None
    consumer_name: str | None = None
    message_id: MessageId | None = None
    retry_attempt: int = 0
    delivery_tag: int | None = None
    delivery_count: int | None = None
    stage: str | None = None
