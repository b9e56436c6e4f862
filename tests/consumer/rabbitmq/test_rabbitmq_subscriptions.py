"""Subscriptions to RabbitMQ that outlive what carries them, and deliveries that are neither lost nor doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import anyio
import pytest
from consumer.broker_steps import PATIENCE_SECONDS, bodies, send, settle_next, take
from consumer.rabbitmq.rabbitmq_steps import NotedCounters, operator
from msgspec.structs import replace
from rabbitmq_server import RabbitMQ

from relayna.consumer.broker import Message, Settlement
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.errors import ConfigurationMismatch, Disconnected, InvalidSetting, NotDeclared, Unroutable
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]

INTERRUPTED = "relayna_subscriptions_interrupted_total"


@pytest.fixture
def counters() -> NotedCounters:
    return NotedCounters()


@pytest.fixture
async def broker(rabbitmq: RabbitMQ, counters: NotedCounters) -> AsyncIterator[RabbitMQBroker]:
    async with RabbitMQBroker(rabbitmq.url, counters=counters) as broker:
        yield broker


@pytest.fixture
async def queue(broker: RabbitMQBroker, rabbitmq: RabbitMQ) -> str:
    name = rabbitmq.name()
    await broker.declare(Declarations(queues=(Queue(name=name),)))
    return name


async def test_a_thousand_messages_are_neither_lost_nor_doubled(broker: RabbitMQBroker, queue: str) -> None:
    count, seen = 1_000, Counter[bytes]()
    async with broker.consume(queue, prefetch=50) as subscription:

        async def publish(first: int) -> None:
            for number in range(first, count, 20):
                await send(broker, queue, b"%d" % number)

        async def handle() -> None:
            async for delivery in subscription:
                await broker.settle(delivery, Settlement.ACK)
                seen[delivery.message.body] += 1
                if len(seen) == count:
                    await subscription.cancel()

        with anyio.fail_after(6 * PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                for first in range(20):
                    tasks.start_soon(publish, first)
                for _ in range(10):
                    tasks.start_soon(handle)
    assert seen == Counter({b"%d" % number: 1 for number in range(count)})
    await send(broker, queue, b"the queue was empty")
    async with broker.consume(queue, prefetch=50) as subscription:
        assert await bodies(aiter(subscription), 1) == [b"the queue was empty"]


@pytest.mark.fault
async def test_it_goes_on_when_its_queue_was_deleted_and_is_there_again(
    broker: RabbitMQBroker, rabbitmq: RabbitMQ, queue: str, counters: NotedCounters
) -> None:
    other = f"{queue}.other"
    await broker.declare(Declarations(queues=(Queue(name=other),)))
    async with broker.consume(queue, prefetch=1) as subscription, broker.consume(other, prefetch=1) as beside:
        async with operator(rabbitmq.url) as channel:
            await channel.queue_delete(queue, if_unused=False, if_empty=False)
        await counters.reach(f"{INTERRUPTED}{{{queue}}}")
        await send(broker, other, b"not my affair")
        assert (await settle_next(broker, aiter(beside))).message.body == b"not my affair"
        await broker.declare(Declarations(queues=(Queue(name=queue),)))
        await send(broker, queue, b"again")
        assert (await settle_next(broker, aiter(subscription))).message.body == b"again"
    assert counters.counted[f"{INTERRUPTED}{{{other}}}"] == 0


@pytest.mark.fault
async def test_a_queue_deleted_under_its_consumer_is_declared_again_with_its_bindings(
    rabbitmq: RabbitMQ, broker: RabbitMQBroker, queue: str
) -> None:
    exchange = f"{queue}.tasks"
    bound = Declarations(
        exchanges=(Exchange(name=exchange),),
        bindings=(Binding(queue=queue, exchange=exchange, routing_key="task"),),
    )
    await broker.declare(bound)
    async with broker.consume(queue, prefetch=1) as subscription, operator(rabbitmq.url) as channel:
        await channel.queue_delete(queue)
        with anyio.fail_after(PATIENCE_SECONDS):
            while True:
                try:
                    await broker.publish(Message(body=b"after"), exchange=exchange, routing_key="task")
                    break
                except Unroutable:  # until the consumer has noticed
                    continue
        assert (await settle_next(broker, aiter(subscription))).message.body == b"after"
    await broker.delete(Declarations(queues=(Queue(name=queue),), exchanges=(Exchange(name=exchange),)))


@pytest.mark.fault
async def test_when_the_broker_cancels_the_consumer_taken_deliveries_stay_good(
    broker: RabbitMQBroker, queue: str, counters: NotedCounters
) -> None:
    async with broker.consume(queue, prefetch=2) as subscription:
        deliveries = aiter(subscription)
        await send(broker, queue, b"taken")
        taken = await take(deliveries)
        channel = subscription._channel
        assert channel is not None
        await channel.stop()  # from here on as if the broker had said it
        channel._cancelled_by_broker(None)
        await counters.reach(INTERRUPTED)
        await send(broker, queue, b"next")
        assert (await take(deliveries)).channel == taken.channel
        assert broker.is_open(taken)
        await broker.settle(taken, Settlement.ACK)


@pytest.mark.fault
async def test_it_goes_on_when_its_channel_was_closed(
    broker: RabbitMQBroker, queue: str, counters: NotedCounters
) -> None:
    async with broker.consume(queue, prefetch=2) as subscription:
        deliveries = aiter(subscription)
        await send(broker, queue, b"1", b"2")
        held = [await take(deliveries) for _ in range(2)]
        channel = subscription._channel
        assert channel is not None
        channel._settlements.handed_out(99)
        await broker.settle(replace(held[0], delivery_tag=99), Settlement.ACK)  # RabbitMQ knows of no such
        await counters.reach(INTERRUPTED)
        with pytest.raises(Disconnected):
            await broker.settle(held[0], Settlement.ACK)
        again = [await settle_next(broker, deliveries) for _ in range(2)]
    assert sorted(one.message.body for one in again) == [b"1", b"2"]
    assert all(one.redelivered for one in again)


async def test_a_second_settlement_harms_no_neighbour(broker: RabbitMQBroker, queue: str) -> None:
    async with broker.consume(queue, prefetch=2) as subscription:
        deliveries = aiter(subscription)
        await send(broker, queue, b"1", b"2")
        first, second = await settle_next(broker, deliveries), await take(deliveries)
        with pytest.raises(Disconnected, match="settled before"):
            await broker.settle(first, Settlement.ACK)
        assert broker.is_open(second)
        await broker.settle(second, Settlement.ACK)


async def test_a_mismatch_leaves_other_queues_working(broker: RabbitMQBroker, queue: str) -> None:
    async with broker.consume(queue, prefetch=1) as subscription:
        for _ in range(3):
            with pytest.raises(ConfigurationMismatch) as caught:
                await broker.declare(Declarations(queues=(Queue(name=queue, kind="classic"),)))
            assert caught.value.__cause__ is None  # it says all that the driver's own errors would
            assert caught.value.__suppress_context__
        await send(broker, queue, b"still works")
        assert (await settle_next(broker, aiter(subscription))).message.body == b"still works"


async def test_a_binding_of_something_that_is_not_there(broker: RabbitMQBroker, queue: str) -> None:
    with pytest.raises(NotDeclared) as caught:
        await broker.declare(Declarations(bindings=(Binding(queue=queue, exchange=f"{queue}.x"),)))
    assert (caught.value.kind, caught.value.name) == ("exchange", f"{queue}.x")
    there = Exchange(name=f"{queue}.there")
    missing = Binding(queue=f"{queue}.missing", exchange=there.name)
    with pytest.raises(NotDeclared) as caught:
        await broker.declare(Declarations(exchanges=(there,), bindings=(missing,)))
    assert (caught.value.kind, caught.value.name) == ("queue", f"{queue}.missing")


async def test_the_default_exchange_is_not_ours_to_declare(broker: RabbitMQBroker, queue: str) -> None:
    for declarations in (
        Declarations(exchanges=(Exchange(name=""),)),
        Declarations(bindings=(Binding(queue=queue, exchange="", routing_key="k"),)),
    ):
        with pytest.raises(ConfigurationMismatch, match="default exchange"):
            await broker.declare(declarations)


async def test_headers_of_a_binding_are_looked_for(broker: RabbitMQBroker, queue: str) -> None:
    exchange = Exchange(name=f"{queue}.x", kind="headers")
    arguments = (("x-match", "all"), ("format", "pdf"), ("pages", 3))
    binding = Binding(queue=queue, exchange=exchange.name, arguments=arguments)
    await broker.declare(Declarations(exchanges=(exchange,), bindings=(binding,)))
    await broker.publish(
        Message(body=b"", headers={"format": "pdf", "pages": 3}), exchange=exchange.name, routing_key=""
    )
    with pytest.raises(Unroutable):
        await broker.publish(
            Message(body=b"", headers={"format": "pdf", "pages": 4}), exchange=exchange.name, routing_key=""
        )


@pytest.mark.parametrize("prefetch", [0, -1, 65_536])
async def test_a_prefetch_that_amqp_has_no_word_for_is_refused(
    broker: RabbitMQBroker, queue: str, prefetch: int
) -> None:
    with pytest.raises(InvalidSetting, match="prefetch"):
        async with broker.consume(queue, prefetch=prefetch):
            pytest.fail("0 would mean: no bound at all")


async def test_cancelling_a_wait_takes_nothing(broker: RabbitMQBroker, queue: str) -> None:
    async with broker.consume(queue, prefetch=1) as subscription:
        deliveries = aiter(subscription)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anext, deliveries)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        await send(broker, queue, b"still there")
        assert (await take(deliveries)).message.body == b"still there"


async def test_cancelling_twice_is_harmless(broker: RabbitMQBroker, queue: str) -> None:
    async with broker.consume(queue, prefetch=1) as subscription:
        await subscription.cancel()
        await subscription.cancel()
        assert [delivery async for delivery in subscription] == []


async def test_a_native_cancel_of_the_consuming_task_closes_its_channel(
    broker: RabbitMQBroker, queue: str
) -> None:
    await send(broker, queue, b"1")
    holding = anyio.Event()

    async def hold() -> None:
        async with broker.consume(queue, prefetch=1) as subscription:
            await take(aiter(subscription))
            holding.set()
            await anyio.sleep_forever()

    task = asyncio.create_task(hold())
    await holding.wait()
    task.cancel()
    await asyncio.wait({task})
    async with broker.consume(queue, prefetch=1) as subscription:
        assert (await take(aiter(subscription))).message.body == b"1"
