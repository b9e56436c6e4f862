"""RabbitMQ under the contract of all brokers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from consumer.broker_contract import BrokerContract
from rabbitmq_server import RabbitMQ

from relayna.consumer.broker import Broker
from relayna.consumer.rabbitmq import RabbitMQBroker


@pytest.mark.rabbitmq
class TestContract(BrokerContract):
    @pytest.fixture
    def broker_factory(self, rabbitmq: RabbitMQ) -> Callable[[], Broker]:
        return lambda: RabbitMQBroker(rabbitmq.url)
