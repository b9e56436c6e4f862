"""What is kept of a dead letter, and what was done with it. Owns shapes only; fields are append-only."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from relayna.ids import MessageId

__all__ = ["DeadLetterRecorded", "DeadLetterReplayClaimed", "DeadLetterReplayed"]


class DeadLetterRecorded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A dead letter's content, so that it can be shown and replayed without touching its queue."""

    dead_letter_id: str
    queue_name: str | None = None
    source_queue_name: str | None = None
    reason: str | None = None
    retry_attempt: int | None = None
    max_retries: int | None = None
    exception_type: str | None = None
    exception_message: str | None = None
    message_id: MessageId | None = None
    stage: str | None = None
    headers: dict[str, Any] | None = None  # Any: AMQP headers are the user's own
    content_type: str | None = None
    body: bytes | None = None
    body_size: int | None = None
    """Bytes of the whole body; more than `body` holds when it was cut."""
    body_sha256: str | None = None
    body_redacted: bool = False
    """`body` is without the secrets that the message has, or is not there, for nobody could look through it."""


class DeadLetterReplayed(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A dead letter was sent again."""

    dead_letter_id: str
    replay_count: int = 1
    exchange: str | None = None
    routing_key: str | None = None
    message_id: MessageId | None = None
    replayed_by: str | None = None


class DeadLetterReplayClaimed(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """Somebody is about to send a dead letter again; of several claims the log's order says whose holds."""

    dead_letter_id: str
    replay_count: int = 1
    claim_id: str | None = None
    """Of this one request: two claims of one process are two."""
    claimed_by: str | None = None
    """Who asked for the replay."""
    holds_ms: int = 0
    """Milliseconds by the store's clock after which a later claim takes it over."""
    withdrawn: bool = False
    """The claimant ended it: nothing was published."""
