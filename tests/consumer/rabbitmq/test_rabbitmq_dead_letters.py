"""The recorder of dead letters on RabbitMQ: its contract, and what RabbitMQ gives up by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aio_pika
import pytest
from consumer.bench import nodes
from consumer.dead_letter_recorder_contract import DeadLetterRecorderContract
from consumer.rabbitmq.rabbitmq_steps import operator
from consumer.record_world import RecordWorld, running, world_topology
from rabbitmq_server import RabbitMQ

from relayna.consumer import DeadLetterRecorder
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.topologies import dead_letter_queue_name, dead_letter_record_queue_name

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]


@pytest.fixture
async def world(rabbitmq: RabbitMQ) -> AsyncIterator[RecordWorld]:
    topology = world_topology(rabbitmq.name(), delivery_limit=1)
    async with RecordWorld(RabbitMQBroker(rabbitmq.url), topology) as world:
        yield world


class TestContract(DeadLetterRecorderContract):
    pass


async def test_a_message_that_expired_is_recorded(world: RecordWorld, rabbitmq: RabbitMQ) -> None:
    work = world.topology.tasks_queue
    async with running(DeadLetterRecorder(rabbitmq=world.client)):
        async with operator(rabbitmq.url) as channel:
            message = aio_pika.Message(b'{"task_id": "T"}', message_id="M", expiration=0.001)
            await channel.default_exchange.publish(message, routing_key=work)
        await world.until_settled(dead_letter_record_queue_name(work), 1)
    assert nodes(await world.graph("T"), "dlq_record") == ["expired"]
    [kept] = await world.left_in(dead_letter_queue_name(work))
    assert kept.message_id == "M"
