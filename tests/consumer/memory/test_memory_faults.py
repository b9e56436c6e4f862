"""The faults that the broker in memory can play."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from consumer.broker_steps import send, settle_next, take

from relayna.consumer.broker import Settlement
from relayna.consumer.memory.broker import MemoryBroker
from relayna.errors import Disconnected, OutcomeUnknown, Unroutable
from relayna.topologies.declarations import Declarations, Queue

pytestmark = pytest.mark.anyio

WORK = Queue(name="work", dead_letter_exchange="", dead_letter_routing_key="dead")
DEAD = Queue(name="dead")


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    async with MemoryBroker() as broker:
        await broker.declare(Declarations(queues=(WORK, DEAD)))
        yield broker


async def test_a_lost_ack_takes_its_channel_along(broker: MemoryBroker) -> None:
    await send(broker, "work", b"1", b"2")
    broker.lose_acks("work")
    async with broker.consume("work", prefetch=2) as subscription:
        deliveries = aiter(subscription)
        first, second = await take(deliveries), await take(deliveries)
        with pytest.raises(Disconnected):
            await broker.settle(first, Settlement.ACK)
        assert not broker.is_open(second)
        again = [await settle_next(broker, deliveries) for _ in range(2)]
    assert [(one.message.body, one.redelivered) for one in again] == [(b"1", True), (b"2", True)]
    assert broker.depth("work") == 0


async def test_only_acks_are_lost(broker: MemoryBroker) -> None:
    await send(broker, "work", b"1")
    broker.lose_acks("work")
    async with broker.consume("work", prefetch=1) as subscription:
        await settle_next(broker, aiter(subscription), Settlement.REJECT)
    assert broker.depth("dead") == 1


async def test_a_lost_confirm_leaves_the_message_there(broker: MemoryBroker) -> None:
    broker.lose_confirms()
    with pytest.raises(OutcomeUnknown):
        await send(broker, "work", b"there")
    await send(broker, "work", b"confirmed")
    assert broker.depth("work") == 2


async def test_what_goes_nowhere_loses_no_confirm(broker: MemoryBroker) -> None:
    broker.lose_confirms()
    with pytest.raises(Unroutable):
        await send(broker, "nowhere", b"")
    with pytest.raises(OutcomeUnknown):
        await send(broker, "work", b"")


async def test_an_outage_refuses_everyone(broker: MemoryBroker) -> None:
    broker.disconnect()
    with pytest.raises(Disconnected):
        await send(broker, "work", b"")
    with pytest.raises(Disconnected):
        await broker.declare(Declarations())
    with pytest.raises(Disconnected):
        async with broker.consume("work", prefetch=1):
            pytest.fail("nobody is connected")
    broker.reconnect()
    await send(broker, "work", b"back")
    assert broker.depth("work") == 1


async def test_a_subscription_goes_on_after_an_outage(broker: MemoryBroker) -> None:
    await send(broker, "work", b"taken", b"untaken")
    async with broker.consume("work", prefetch=2) as subscription:
        deliveries = aiter(subscription)
        lost = await take(deliveries)
        broker.disconnect()
        assert (broker.depth("work"), broker.unsettled("work")) == (2, 0)
        with pytest.raises(Disconnected):
            await broker.settle(lost, Settlement.ACK)
        broker.reconnect()
        again = [await settle_next(broker, deliveries) for _ in range(2)]
    assert [one.message.body for one in again] == [b"taken", b"untaken"]
    assert all(one.redelivered and one.channel != lost.channel for one in again)


async def test_reconnecting_without_an_outage_changes_nothing(broker: MemoryBroker) -> None:
    await send(broker, "work", b"1", b"2")
    async with broker.consume("work", prefetch=1) as subscription:
        broker.reconnect()
        assert subscription.untaken == broker.unsettled("work") == 1


async def test_settling_twice_closes_the_channel(broker: MemoryBroker) -> None:
    await send(broker, "work", b"1", b"2")
    async with broker.consume("work", prefetch=2) as subscription:
        deliveries = aiter(subscription)
        first, second = await settle_next(broker, deliveries), await take(deliveries)
        with pytest.raises(Disconnected, match="settled twice"):
            await broker.settle(first, Settlement.ACK)
        assert not broker.is_open(second)
        assert (await take(deliveries)).message.body == b"2"
