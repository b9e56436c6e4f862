"""A message about to be published: an encoded envelope, its headers, and properties that AMQP can carry.

Owns how they are put together. Publishes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relayna.consumer.broker import Message
from relayna.consumer.messages.causal_headers import CausalHeaders, write_headers
from relayna.topologies import as_short_string

__all__ = ["build_message"]


def build_message(
    body: bytes,
    headers: CausalHeaders,
    *,
    correlation_id: str | None,
    user_headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
    priority: int | None = None,
) -> Message:
    """The message for an encoded envelope. Ids that AMQP's short strings cannot hold are hashed there."""
    return Message(
        body=body,
        headers=write_headers(headers, user_headers),
        message_id=as_short_string(headers.message_id) if headers.message_id else None,
        correlation_id=as_short_string(correlation_id) if correlation_id else None,
        priority=priority,
    )
