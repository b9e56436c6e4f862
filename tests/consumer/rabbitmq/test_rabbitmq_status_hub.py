"""The status hub on RabbitMQ, under its contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from consumer.record_world import RecordWorld, world_topology
from consumer.status_hub_contract import StatusHubContract
from rabbitmq_server import RabbitMQ

from relayna.consumer.rabbitmq import RabbitMQBroker

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]


@pytest.fixture
async def world(rabbitmq: RabbitMQ) -> AsyncIterator[RecordWorld]:
    async with RecordWorld(RabbitMQBroker(rabbitmq.url), world_topology(rabbitmq.name())) as world:
        yield world


class TestContract(StatusHubContract):
    pass
