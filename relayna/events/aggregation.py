"""Facts about aggregation deliveries: a shard's consumer takes in what a child reports for its parent.

Owns shapes only. Fields are append-only. Told in the child's stream.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.ids import MessageId

__all__ = [
    "AggregationDeadLetterPublished",
    "AggregationHandlerFailed",
    "AggregationMessageAcked",
    "AggregationMessageReceived",
    "AggregationRetryScheduled",
]


class AggregationMessageReceived(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A child's report reached a shard's consumer. Opens an attempt of the child."""

    queue_name: str | None = None
    consumer_name: str | None = None
    message_id: MessageId | None = None
    shard: int | None = None
    retry_attempt: int = 0
    replay_count: int = 0
    routing_key: str | None = None
    delivery_tag: int | None = None
    delivery_count: int | None = None
    redelivered: bool = False
    repeated: bool = False
    """A copy of its message may lie in a queue beside it."""


class AggregationHandlerFailed(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The aggregation handler raised. Does not close the attempt."""

    exception_type: str | None = None
    exception_message: str | None = None
    queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int = 0
    traceback: str | None = None
    """Where it was raised, without secrets; its end, when it is long."""


class AggregationMessageAcked(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The report is taken in. Closes the attempt."""

    queue_name: str | None = None
    consumer_name: str | None = None
    delivery_tag: int | None = None
    reason: str | None = None


class AggregationRetryScheduled(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A copy of the report waits in a retry queue. Closes the attempt."""

    queue_name: str | None = None
    source_queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int | None = None
    max_retries: int | None = None
    delay_ms: int | None = None
    reason: str | None = None
    message_id: MessageId | None = None


class AggregationDeadLetterPublished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The report was given up and lies in the dead-letter queue. Closes the attempt."""

    queue_name: str | None = None
    source_queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int | None = None
    max_retries: int | None = None
    reason: str | None = None
    exception_type: str | None = None
    message_id: MessageId | None = None
