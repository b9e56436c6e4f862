"""Messages as the driver takes them."""

from __future__ import annotations

import aio_pika
import pytest

from relayna.consumer.broker import Message
from relayna.consumer.rabbitmq.message import outgoing_properties
from relayna.errors import InvalidMessage


def test_messages_survive_a_restart_of_the_broker() -> None:
    assert outgoing_properties(Message(body=b"")).delivery_mode is aio_pika.DeliveryMode.PERSISTENT


@pytest.mark.parametrize("priority", [None, 0, 5])
def test_no_priority_is_not_the_lowest(priority: int | None) -> None:
    assert outgoing_properties(Message(body=b"", priority=priority)).priority == priority


def test_bytes_in_headers_are_written_as_such() -> None:
    headers = {"raw": b"1", "deep": [{"raw": b"2"}]}
    assert outgoing_properties(Message(body=b"", headers=headers)).headers == {
        "raw": bytearray(b"1"),
        "deep": [{"raw": bytearray(b"2")}],
    }


def test_what_amqp_cannot_carry_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="message_id"):
        outgoing_properties(Message(body=b"", message_id="x" * 256))
