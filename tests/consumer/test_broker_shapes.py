"""Messages and deliveries as plain values."""

from __future__ import annotations

import pytest

from relayna.consumer.broker import Delivery, Message, Settlement


def test_a_message_needs_only_a_body() -> None:
    message = Message(body=b"{}")
    assert (message.headers, message.message_id, message.priority) == ({}, None, None)
    assert message.content_type == "application/json"


def test_default_headers_are_not_shared() -> None:
    assert Message(body=b"").headers is not Message(body=b"").headers


def test_a_delivery_is_new_and_uncounted_unless_the_broker_says_otherwise() -> None:
    delivery = Delivery(
        message=Message(body=b""), queue_name="work", exchange="", routing_key="work", delivery_tag=1
    )
    assert (delivery.redelivered, delivery.delivery_count, delivery.channel) == (False, None, 0)


@pytest.mark.parametrize("field", ["body", "headers", "message_id"])
def test_what_was_said_cannot_be_changed(field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Message(body=b""), field, None)


def test_there_are_three_ways_to_settle() -> None:
    assert {settlement.value for settlement in Settlement} == {"ack", "release", "reject"}
