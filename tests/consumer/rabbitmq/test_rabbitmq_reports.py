"""Where a RabbitMQ broker reports when that is known only after it was made."""

from __future__ import annotations

from consumer.bench import SHARED
from consumer.test_measured_spans import ToldMeasures

from relayna.consumer import RelaynaClient
from relayna.consumer.rabbitmq import RabbitMQBroker


def test_a_broker_reports_where_its_client_does_unless_it_was_told() -> None:
    clients, own = ToldMeasures(), ToldMeasures()
    told = RabbitMQBroker("amqp://broker.example", counters=own)
    untold = RabbitMQBroker("amqp://broker.example")
    for broker in (told, untold):
        RelaynaClient(topology=SHARED, broker=broker, counters=clients)
        broker._counters.increment("relayna_subscriptions_interrupted_total", queue="work")
    interrupted = ("subscriptions_interrupted_total", "work")
    assert (own.counts[interrupted], clients.counts[interrupted]) == (1, 1)
