"""The `x-relayna-` headers by which messages carry causes, and nothing else's headers.

Owns their names, and that they are set anew on each publish while the user's own are carried over.
Reading is lenient: a foreign or broken header is as good as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from relayna.ids import EventId, MessageId, SessionId, TaskId

__all__ = ["CausalHeaders", "carried_headers", "read_headers", "write_headers"]

_PREFIX: Final = "x-relayna-"
# What the broker writes about a message's past; on a new publish it would be a lie.
_BROKER_OWN: Final = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
# Orders to RabbitMQ to put copies elsewhere too (https://www.rabbitmq.com/docs/sender-selected): they were
# carried out once, for the message that the user published.
_DISTRIBUTION: Final = ("CC", "BCC")


_NOT_CARRIED: Final = (_PREFIX, *_BROKER_OWN)


class CausalHeaders(Struct, frozen=True, kw_only=True, gc=False):
    """What a message says of itself."""

    cause: EventId | None = None
    """The event that published it."""
    task_id: TaskId | None = None
    session_id: SessionId | None = None
    parent_task_id: TaskId | None = None
    message_id: MessageId | None = None
    """The logical message: the same on retried, replayed and repeated copies."""
    retry_attempt: int = 0
    stage: str | None = None
    origin_stage: str | None = None
    replay_count: int = 0
    repeated: bool = False
    """It was published while a redelivered message was handled, so a copy of it may exist."""
    batch_id: str | None = None
    """The batch that it came in, or is."""


def _header(name: str) -> tuple[str, str]:
    return _PREFIX + name.replace("_", "-"), name


_TEXTS: Final = dict(map(_header, (
    "cause", "task_id", "session_id", "parent_task_id", "message_id", "stage", "origin_stage", "batch_id",
)))  # fmt: skip
_NUMBERS: Final = dict(map(_header, ("retry_attempt", "replay_count")))
_REPEATED: Final = _PREFIX + "repeated"
_ALL: Final = (*_TEXTS.items(), *_NUMBERS.items(), (_REPEATED, "repeated"))
"""Each header with its field."""


def read_headers(headers: Mapping[str, Any]) -> CausalHeaders:  # Any: AMQP header values
    """What a message's headers say."""
    found: dict[str, Any] = {}  # Any: by field
    for header, value in headers.items():
        if header in _TEXTS:
            text = value.decode(errors="replace") if isinstance(value, bytes) else value
            if isinstance(text, str) and text:
                found[_TEXTS[header]] = text
        elif header in _NUMBERS and type(value) is not bool and isinstance(value, int) and 0 < value < 2**31:
            found[_NUMBERS[header]] = int(value)
    return CausalHeaders(repeated=headers.get(_REPEATED) is True, **found)


def write_headers(causal: CausalHeaders, user: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Headers for a publish: the user's own, and these. Any: AMQP header values."""
    headers = carried_headers(user or {})
    for header, name in _ALL:
        value = getattr(causal, name)
        if value:
            headers[header] = value
    return headers


def carried_headers(headers: Mapping[str, Any]) -> dict[str, Any]:  # Any: AMQP header values
    """The user's own headers, `traceparent` among them: what a copy of the message carries on."""
    return {
        name: value
        for name, value in headers.items()
        if not name.startswith(_NOT_CARRIED) and name not in _DISTRIBUTION
    }
