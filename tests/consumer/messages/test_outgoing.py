"""What a message looks like when it leaves."""

from __future__ import annotations

import hashlib

from relayna.consumer import Message
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.outgoing import build_message
from relayna.ids import EventId, MessageId


def test_headers_and_properties() -> None:
    headers = CausalHeaders(cause=EventId("a.3"), message_id=MessageId("m"))
    message = build_message(b"{}", headers, correlation_id="c", user_headers={"tenant": "t"}, priority=3)
    assert message == Message(
        body=b"{}",
        headers={"tenant": "t", "x-relayna-cause": "a.3", "x-relayna-message-id": "m"},
        message_id="m",
        correlation_id="c",
        priority=3,
    )


def test_a_message_may_have_no_ids() -> None:
    message = build_message(b"{}", CausalHeaders(), correlation_id=None)
    assert (message.headers, message.message_id, message.correlation_id) == ({}, None, None)


def test_ids_that_are_too_long_travel_in_headers_and_as_hashes() -> None:
    message = build_message(b"{}", CausalHeaders(message_id=MessageId("m" * 256)), correlation_id="c" * 256)
    assert message.headers == {"x-relayna-message-id": "m" * 256}
    assert message.message_id == hashlib.sha256(b"m" * 256).hexdigest()
    assert message.correlation_id == hashlib.sha256(b"c" * 256).hexdigest()
