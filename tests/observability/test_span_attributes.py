"""What spans are called and which attributes they have, from plain values."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from relayna.observability.span_attributes import (
    attempt_attributes,
    attempt_span_name,
    failure_attributes,
    outcome_attributes,
    send_attributes,
    send_span_name,
)
from relayna.signals import AttemptDetails, SendDetails


def sending(**fields: Any) -> SendDetails:
    return SendDetails(
        **{
            "exchange": "tasks",
            "routing_key": "task",
            "headers": {},
            "message_id": None,
            "correlation_id": None,
            "body_size": 0,
            **fields,
        }
    )


def attempt(**fields: Any) -> AttemptDetails:
    return AttemptDetails(
        **{
            "exchange": "tasks",
            "routing_key": "task",
            "headers": {},
            "message_id": None,
            "correlation_id": None,
            "body_size": 0,
            "queue_name": "work",
            "delivery_tag": 1,
            "task_id": "order",
            "session_id": None,
            "attempt_id": "a",
            "retry_attempt": 0,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("exchange", "routing_key", "destination"),
    [
        ("tasks", "task", "tasks:task"),
        ("", "work", "work"),
        ("tasks", "", "tasks"),
        ("", "", "amq.default"),
    ],
)
def test_where_a_message_is_sent(exchange: str, routing_key: str, destination: str) -> None:
    attributes = send_attributes(sending(exchange=exchange, routing_key=routing_key))
    assert attributes["messaging.destination.name"] == destination
    assert attributes.get("messaging.rabbitmq.destination.routing_key", "") == routing_key
    assert send_span_name(attributes) == f"send {destination}"


@pytest.mark.parametrize(
    ("exchange", "routing_key", "queue_name", "destination"),
    [
        ("tasks", "task", "work", "tasks:task:work"),
        ("tasks", "work", "work", "tasks:work"),
        ("", "work", "work", "work"),
        ("tasks", "", "work", "tasks:work"),
    ],
)
def test_where_a_delivery_came_from(
    exchange: str, routing_key: str, queue_name: str, destination: str
) -> None:
    details = attempt(exchange=exchange, routing_key=routing_key, queue_name=queue_name)
    assert attempt_attributes(details)["messaging.destination.name"] == destination
    assert attempt_span_name(details) == f"process {queue_name}"


@pytest.mark.parametrize("task_id", ["order-7", "x" * 300, "agg.7"])
def test_a_key_that_is_the_tasks_own_is_no_part_of_the_name(task_id: str) -> None:
    headers = {"x-relayna-task-id": task_id}
    keys = [hashlib.sha256(task_id.encode()).hexdigest()]
    keys += [task_id] if len(task_id) <= 255 else []
    for key in keys:
        attributes = send_attributes(sending(exchange="statuses", routing_key=key, headers=headers))
        assert send_span_name(attributes) == "send statuses:{task_id}"
        assert attributes["messaging.destination.template"] == "statuses:{task_id}"
        assert attributes["messaging.destination.name"] == f"statuses:{key}"


def test_what_is_not_known_is_left_out() -> None:
    assert send_attributes(sending()) == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "tasks:task",
        "messaging.rabbitmq.destination.routing_key": "task",
        "messaging.message.body.size": 0,
        "relayna.retry_attempt": 0,
    }


def test_what_the_headers_say_of_a_message() -> None:
    headers = {"x-relayna-task-id": "order", "x-relayna-session-id": "visit", "x-relayna-retry-attempt": 2}
    attributes = send_attributes(sending(headers=headers))
    assert {name: value for name, value in attributes.items() if name.startswith("relayna.")} == {
        "relayna.task_id": "order",
        "relayna.session_id": "visit",
        "relayna.retry_attempt": 2,
    }


def test_text_that_utf8_cannot_hold_is_replaced() -> None:
    attributes = attempt_attributes(
        attempt(task_id="a\ud800", routing_key="\udcff", message_id="\ud83d\ude00")
    )
    assert attributes["relayna.task_id"] == "a\N{REPLACEMENT CHARACTER}"
    assert attributes["messaging.rabbitmq.destination.routing_key"] == "\N{REPLACEMENT CHARACTER}"
    assert attributes["messaging.message.id"] == "\N{GRINNING FACE}"
    assert failure_attributes("a\ud800") == {"error.type": "a\N{REPLACEMENT CHARACTER}"}


def test_how_an_attempt_ended() -> None:
    assert outcome_attributes("acked") == {"relayna.outcome": "acked"}
