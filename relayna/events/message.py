"""What went into the handling of a message, and what came out of it.

Owns shapes only; fields are append-only. Recorded while `RELAYNA_LINEAGE_EMIT` is on.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.ids import MessageId

__all__ = ["MessageInputRecorded", "MessageOutputRecorded"]


class MessageInputRecorded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A message is about to be handled. Hashes are SHA-256 in hexadecimal: of canonical JSON, else of raw bytes."""

    message_id: MessageId | None = None
    input_hash: str | None = None
    payload_bytes: int | None = None
    """Of the message's whole body."""
    storage_key: str | None = None
    """Where the message's body is stored; none where it is not."""
    exchange: str | None = None
    routing_key: str | None = None
    """With the exchange, how the message came to its queue."""
    queue_name: str | None = None
    stage: str | None = None
    batch_id: str | None = None
    handler: str | None = None
    """The handler's own name, as its code has it."""


class MessageOutputRecorded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """The handler returned something. What it published is told by other events."""

    message_id: MessageId | None = None
    output_hash: str | None = None
    stage: str | None = None
