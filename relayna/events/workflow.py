"""Facts about workflow messages and the stages that handle them.

Owns shapes only. Fields are append-only. A stage's retries and dead letters are the consumer's
(`relayna.events.task`), with `stage` filled in.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from relayna.ids import MessageId

__all__ = ["WorkflowMessagePublished", "WorkflowMessageReceived", "WorkflowStageAcked", "WorkflowStageFailed"]


class WorkflowMessagePublished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A message for `stage` was confirmed by the broker; without `origin_stage` it enters from outside."""

    message_id: MessageId
    stage: str | None = None
    origin_stage: str | None = None
    routing_key: str | None = None
    meta: dict[str, Any] | None = None  # Any: the user's own JSON object


class WorkflowMessageReceived(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A message reached its stage and the handler is about to start. Opens a stage attempt."""

    message_id: MessageId | None = None
    stage: str | None = None
    origin_stage: str | None = None
    queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int = 0
    replay_count: int = 0
    routing_key: str | None = None
    delivery_tag: int | None = None
    delivery_count: int | None = None
    redelivered: bool = False
    repeated: bool = False
    """A copy of its message may lie in a queue beside it."""


class WorkflowStageAcked(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The stage is done with its message, and with those that it joined to it. Closes the stage attempt."""

    stage: str | None = None
    message_id: MessageId | None = None
    queue_name: str | None = None
    consumer_name: str | None = None
    delivery_tag: int | None = None
    reason: str | None = None
    joined_message_ids: tuple[MessageId, ...] = ()


class WorkflowStageFailed(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The stage's handler raised. Does not close the stage attempt."""

    stage: str | None = None
    message_id: MessageId | None = None
    exception_type: str | None = None
    exception_message: str | None = None
    queue_name: str | None = None
    consumer_name: str | None = None
    retry_attempt: int = 0
    traceback: str | None = None
    """Where it was raised, without secrets; its end, when it is long."""
