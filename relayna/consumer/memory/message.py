"""What AMQP can carry: the check and the private copy of a message that enters or leaves memory.

Owns the limits of the properties and of header values, so that what passes here passes RabbitMQ too.
Knows nothing of queues.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from relayna.consumer.broker import Message
from relayna.errors import InvalidMessage

__all__ = ["check_short_string", "copy_headers", "copy_message"]

_SHORT_STRING_BYTES: Final = 255
_HEADER_NAME_BYTES: Final = 128
"""AMQP 0-9-1, 4.2.5.5; clients cut longer names, and two of them may become one."""
_INTEGERS: Final = (-(2**63), 2**63 - 1)
_PRIORITIES: Final = (0, 255)


def copy_message(message: Message) -> Message:
    """The same message with headers of its own. Raises `InvalidMessage` when AMQP cannot carry it."""
    _check_body(message.body)
    check_short_string("message_id", message.message_id)
    check_short_string("correlation_id", message.correlation_id)
    check_short_string("content_type", message.content_type)
    if message.priority is not None and not _PRIORITIES[0] <= message.priority <= _PRIORITIES[1]:
        raise InvalidMessage("priority", f"{message.priority} is outside 0 to 255, one octet in AMQP.")
    return replace(message, headers=copy_headers(message.headers))


def check_short_string(field: str, value: str | None) -> None:
    """Raise `InvalidMessage` when the value is no AMQP short string: at most 255 bytes of UTF-8."""
    if value is None or (type(value) is str and len(value) <= _SHORT_STRING_BYTES and value.isascii()):
        return
    size = len(_encoded(field, value))
    if size > _SHORT_STRING_BYTES:
        raise InvalidMessage(
            field,
            f"{size} bytes long, and AMQP carries at most {_SHORT_STRING_BYTES} here. "
            "Send a hash, and the whole text in a header.",
        )


def copy_headers(headers: Mapping[str, Any]) -> dict[str, Any]:  # Any: AMQP header values
    """A copy that shares nothing mutable. Raises `InvalidMessage` for what AMQP has no type for."""
    copied: dict[str, Any] = {}  # Any: AMQP header values
    for name, value in headers.items():
        if _is_plain(name) and len(name) <= _HEADER_NAME_BYTES and _is_plain(value):
            copied[name] = value  # what nearly all are: nothing of it needs encoding to be checked
        else:
            copied[_checked_name(name)] = _copy_value(f"headers[{name!r}]", value)
    return copied


def _is_plain(value: object) -> bool:
    return type(value) is str and value.isascii()


def _checked_name(name: object) -> str:
    field = f"headers[{name!r}]"
    if not isinstance(name, str):
        raise InvalidMessage(field, "a header's name is text.")
    size = len(_encoded(field, name))
    if size > _HEADER_NAME_BYTES:
        raise InvalidMessage(
            field, f"the name is {size} bytes long, and AMQP carries at most {_HEADER_NAME_BYTES}."
        )
    return name


def _copy_value(field: str, value: object) -> object:
    match value:
        case None | bool() | float() | Decimal():
            return value
        case str():
            _encoded(field, value)
            return value
        case int():
            if not _INTEGERS[0] <= value <= _INTEGERS[1]:
                raise InvalidMessage(field, "an integer beyond 64 bits with sign. Send it as text.")
            return value
        case datetime():
            return value.replace(microsecond=0)  # AMQP timestamps are whole seconds
        case bytes() | bytearray():
            return bytes(value)
        case list():
            return [_copy_value(field, item) for item in value]
        case dict():
            return {_checked_name(name): _copy_value(field, item) for name, item in value.items()}
        case _:
            raise InvalidMessage(field, f"AMQP has no {type(value).__name__}. Send text, a list or a dict.")


def _check_body(body: object) -> None:
    if not isinstance(body, bytes):
        raise InvalidMessage("body", f"it is {type(body).__name__}, not bytes. Encode it first.")


def _encoded(field: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidMessage(field, "it is not UTF-8: it holds half of a surrogate pair.") from error
