"""Messages as the driver wants them, and deliveries as it hands them over.

Owns the translation of properties and headers. AMQP's limits are checked in
`relayna.consumer.memory.message`, which knows the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Final

import aio_pika
from aiormq import spec
from aiormq.abc import DeliveredMessage

from relayna.consumer.broker import Delivery, Message
from relayna.consumer.memory.message import copy_message

__all__ = ["incoming_delivery", "outgoing_properties"]

_DELIVERY_COUNT: Final = "x-delivery-count"
"""Quorum queues put it on what they hand out again; it belongs to the delivery, not to the message."""

_AS_THEY_ARE: Final = frozenset({str, int, bool, float, NoneType})


def outgoing_properties(message: Message) -> spec.Basic.Properties:
    """Of a persistent message, for the driver. Raises `InvalidMessage` for what AMQP cannot carry."""
    checked = copy_message(message)
    return spec.Basic.Properties(
        headers={
            name: value if type(value) in _AS_THEY_ARE else _as_driver_takes(value)
            for name, value in checked.headers.items()
        },
        content_type=checked.content_type,
        correlation_id=checked.correlation_id,
        message_id=checked.message_id,
        priority=checked.priority,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def incoming_delivery(message: DeliveredMessage, *, queue_name: str, channel: int) -> Delivery:
    """What the broker handed out on our channel of this number."""
    properties, handed_out = message.header.properties, message.delivery
    headers = dict(properties.headers or {})
    count = headers.get(_DELIVERY_COUNT)
    if isinstance(count, int):
        del headers[_DELIVERY_COUNT]
    return Delivery(
        message=Message(
            body=message.body,
            headers={
                name: value if type(value) in _AS_THEY_ARE else _as_written(value)
                for name, value in headers.items()
            },
            message_id=properties.message_id,
            correlation_id=properties.correlation_id,
            content_type=properties.content_type,
            priority=properties.priority,
        ),
        queue_name=queue_name,
        exchange=getattr(handed_out, "exchange", None) or "",
        routing_key=getattr(handed_out, "routing_key", None) or "",
        delivery_tag=getattr(handed_out, "delivery_tag", None) or 0,
        redelivered=bool(getattr(handed_out, "redelivered", None)),
        delivery_count=count if isinstance(count, int) else None,
        channel=channel,
    )


def _as_driver_takes(value: Any) -> Any:  # Any: AMQP header values
    match value:
        case bytes():
            return bytearray(value)
        case list():
            return [_as_driver_takes(item) for item in value]
        case Mapping():
            return {name: _as_driver_takes(item) for name, item in value.items()}
        case _:
            return value


def _as_written(value: Any) -> Any:  # Any: AMQP header values
    match value:
        case bytearray():
            return bytes(value)
        case list():
            return [_as_written(item) for item in value]
        case dict():
            return {name: _as_written(item) for name, item in value.items()}
        case _:
            return value
