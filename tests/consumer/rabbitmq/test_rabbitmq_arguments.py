"""Queues as RabbitMQ is told of them."""

from __future__ import annotations

import pytest

from relayna.consumer.rabbitmq.declaring import queue_arguments
from relayna.topologies import retry_declarations
from relayna.topologies.declarations import Queue

SAFE_HOPS = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


@pytest.mark.parametrize(
    ("queue", "arguments"),
    [
        (Queue(name="q"), {"x-queue-type": "quorum"}),
        (Queue(name="q", max_length=5), {"x-queue-type": "quorum", "x-max-length": 5}),
        (
            Queue(name="q", dead_letter_exchange="", dead_letter_routing_key="d", delivery_limit=100),
            {
                "x-queue-type": "quorum",
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "d",
                "x-delivery-limit": 100,
                **SAFE_HOPS,
            },
        ),
        (
            Queue(name="q", kind="classic", max_priority=9, dead_letter_exchange="dead"),
            {"x-queue-type": "classic", "x-max-priority": 9, "x-dead-letter-exchange": "dead"},
        ),
    ],
    ids=["plain", "bounded", "with dead letters", "with priorities"],
)
def test_arguments(queue: Queue, arguments: dict[str, object]) -> None:
    assert queue_arguments(queue) == arguments


def test_a_retry_queue_never_expires_with_its_messages() -> None:
    (queue,) = retry_declarations("orders", [30_000]).queues
    arguments = queue_arguments(queue)
    assert arguments["x-message-ttl"] == 30_000
    assert "x-expires" not in arguments
    assert arguments.items() >= SAFE_HOPS.items()
