"""Publishing to RabbitMQ: what harms a message must not harm its neighbours, and nothing hangs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import anyio.to_thread
import pytest
from consumer.broker_steps import PATIENCE_SECONDS, bodies, send, settle_next, take
from consumer.rabbitmq.rabbitmq_steps import operator
from rabbitmq_server import RabbitMQ

from relayna.consumer.broker import Message
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.errors import InvalidMessage, OutcomeUnknown, PublishRefused, Unroutable
from relayna.topologies.declarations import Declarations, Queue

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]


@pytest.fixture
async def broker(rabbitmq: RabbitMQ) -> AsyncIterator[RabbitMQBroker]:
    async with RabbitMQBroker(rabbitmq.url, publish_channels=8) as broker:
        yield broker


@pytest.fixture
async def queue(broker: RabbitMQBroker, rabbitmq: RabbitMQ) -> str:
    name = rabbitmq.name()
    await broker.declare(Declarations(queues=(Queue(name=name),)))
    return name


async def test_a_publish_to_a_missing_exchange_leaves_its_neighbours_alone(
    broker: RabbitMQBroker, queue: str
) -> None:
    refused: list[Unroutable] = []

    async def publish(number: int) -> None:
        if number % 5:
            await send(broker, queue, b"%d" % number)
            return
        with pytest.raises(Unroutable) as caught:
            await broker.publish(Message(body=b"lost"), exchange=f"{queue}.missing", routing_key="k")
        refused.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(publish, number)
    assert len(refused) == 10
    async with broker.consume(queue, prefetch=40) as subscription:
        arrived = await bodies(aiter(subscription), 40)
    assert sorted(map(int, arrived)) == [number for number in range(50) if number % 5]


async def test_a_returned_message_is_not_taken_for_another_of_its_id(
    broker: RabbitMQBroker, queue: str
) -> None:
    outcomes: list[str] = []

    async def publish(key: str) -> None:
        try:
            await broker.publish(Message(body=b"", message_id="the same"), exchange="", routing_key=key)
        except Unroutable:
            outcomes.append("unroutable")
        else:
            outcomes.append(key)

    async with anyio.create_task_group() as tasks:
        for key in (f"{queue}.missing", queue) * 10:
            tasks.start_soon(publish, key)
    assert sorted(outcomes) == sorted([queue, "unroutable"] * 10)


async def test_a_full_queue_refuses(broker: RabbitMQBroker, rabbitmq: RabbitMQ) -> None:
    name = rabbitmq.name()
    limits = {"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"}
    async with operator(rabbitmq.url) as channel:
        await channel.declare_queue(name, durable=True, arguments=limits)
    await send(broker, name, b"fits")
    with pytest.raises(PublishRefused, match="full"):
        await send(broker, name, b"does not")
    async with broker.consume(name, prefetch=1) as subscription:
        assert (await settle_next(broker, aiter(subscription))).message.body == b"fits"
    await send(broker, name, b"fits again")


async def test_a_body_that_rabbitmq_will_not_have(rabbitmq: RabbitMQ, queue: str) -> None:
    async with RabbitMQBroker(rabbitmq.node.url) as broker:
        with pytest.raises(InvalidMessage) as caught:
            await send(broker, queue, b"x" * 5_000_000)
        assert caught.value.field == "body"
        await send(broker, queue, b"small")


@pytest.mark.parametrize("value", [1e300, "\ud800", 2**63, {1, 2}], ids=repr)
async def test_a_header_that_cannot_be_written_harms_nobody(
    broker: RabbitMQBroker, queue: str, value: object
) -> None:
    with pytest.raises(InvalidMessage):
        await broker.publish(Message(body=b"", headers={"odd": value}), exchange="", routing_key=queue)
    await send(broker, queue, b"next")


async def test_a_routing_key_beyond_255_bytes_is_refused(broker: RabbitMQBroker) -> None:
    with pytest.raises(InvalidMessage) as caught:
        await send(broker, "é" * 128, b"")
    assert caught.value.field == "routing_key"


async def test_a_message_without_an_id_gets_one_and_without_a_priority_gets_none(
    broker: RabbitMQBroker, queue: str
) -> None:
    await send(broker, queue, b"plain")
    async with broker.consume(queue, prefetch=1) as subscription:
        message = (await take(aiter(subscription))).message
    assert message.message_id
    assert message.priority is None


async def test_more_publishes_than_channels_wait_for_their_turn(broker: RabbitMQBroker, queue: str) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(send, broker, queue, b"%d" % number)
    assert len(broker._now().publisher._idle) <= 8
    async with broker.consume(queue, prefetch=100) as subscription:
        assert len(await bodies(aiter(subscription), 100)) == 100


async def test_a_cancelled_publish_is_cancelled(broker: RabbitMQBroker, queue: str) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, broker, queue, b"may be there")
        tasks.cancel_scope.cancel()
    await send(broker, queue, b"next")


@pytest.mark.fault
async def test_a_memory_alarm_hangs_no_publish_and_stops_no_consumer(
    rabbitmq: RabbitMQ, broker: RabbitMQBroker, queue: str
) -> None:
    node = rabbitmq.node
    await send(broker, queue, b"1", b"2")

    async def alarm(*, on: bool) -> None:
        await anyio.to_thread.run_sync(lambda: node.set_memory_alarm(on=on))

    async def publish() -> None:
        with pytest.raises(OutcomeUnknown):
            await broker.publish(Message(body=b"?"), exchange="", routing_key=queue, confirm_timeout=0.2)

    await alarm(on=True)
    try:
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(publish)
            async with broker.consume(queue, prefetch=1) as subscription:
                deliveries = aiter(subscription)
                assert [(await settle_next(broker, deliveries)).message.body for _ in range(2)] == [
                    b"1",
                    b"2",
                ]
    finally:
        await alarm(on=False)
    await broker.publish(Message(body=b"after"), exchange="", routing_key=queue, confirm_timeout=30)
