"""The broker in memory: the contract, and what its connections and waits promise beyond it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
import pytest
from consumer.broker_contract import BrokerContract
from consumer.broker_steps import send, settle_next, take

from relayna.clock import FrozenClock
from relayna.consumer.broker import Broker, Delivery, Settlement
from relayna.consumer.memory.broker import MemoryBroker
from relayna.errors import Disconnected, InvalidSetting, NotDeclared
from relayna.topologies.declarations import Declarations, Queue

pytestmark = pytest.mark.anyio

WORK = Queue(name="work", dead_letter_exchange="", dead_letter_routing_key="dead")
DEAD = Queue(name="dead")
RETRY = Queue(name="retry", message_ttl_ms=30_000, dead_letter_exchange="", dead_letter_routing_key="work")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def broker(clock: FrozenClock) -> AsyncIterator[MemoryBroker]:
    async with MemoryBroker(clock=clock) as broker:
        await broker.declare(Declarations(queues=(WORK, DEAD, RETRY)))
        yield broker


class TestContract(BrokerContract):
    @pytest.fixture
    def broker_factory(self) -> Callable[[], Broker]:
        return MemoryBroker


async def test_messages_outlive_the_connection() -> None:
    broker = MemoryBroker()
    async with broker:
        await broker.declare(Declarations(queues=(WORK, DEAD)))
        await send(broker, "work", b"kept")
    with pytest.raises(Disconnected):
        await send(broker, "work", b"refused")
    broker.disconnect()
    with pytest.raises(Disconnected):
        async with broker:
            pytest.fail("there is an outage")
    broker.reconnect()
    async with broker, broker.consume("work", prefetch=1) as subscription:
        assert (await take(aiter(subscription))).message.body == b"kept"


async def test_leaving_ends_iterations_and_gives_back() -> None:
    taken: list[Delivery] = []
    broker = MemoryBroker()

    async def consume() -> None:
        async with broker.consume("work", prefetch=2) as subscription:
            taken.extend([delivery async for delivery in subscription])

    async with anyio.create_task_group() as tasks, broker:
        await broker.declare(Declarations(queues=(WORK, DEAD)))
        await send(broker, "work", b"1")
        tasks.start_soon(consume)
        await broker.wait_until(lambda: broker.unsettled("work") == 1)
        await anyio.wait_all_tasks_blocked()
    assert len(taken) == 1
    assert not broker.is_open(taken[0])
    assert (broker.depth("work"), broker.unsettled("work")) == (1, 0)


async def test_an_error_of_the_body_comes_out_as_it_is() -> None:
    async def fail_with_an_alarm_set() -> None:
        async with MemoryBroker() as broker:
            await broker.declare(Declarations(queues=(RETRY,)))
            await send(broker, "retry", b"later")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_with_an_alarm_set()


async def test_it_closes_with_the_last_of_its_users(broker: MemoryBroker) -> None:
    async with broker:
        pass
    await send(broker, "work", b"still open")
    assert broker.depth("work") == 1


async def test_cancelling_a_wait_takes_nothing(broker: MemoryBroker) -> None:
    async with broker.consume("work", prefetch=1) as subscription:
        deliveries = aiter(subscription)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anext, deliveries)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        await send(broker, "work", b"still there")
        assert (await take(deliveries)).message.body == b"still there"


async def test_cancelling_twice_is_harmless(broker: MemoryBroker) -> None:
    await send(broker, "work", b"1")
    async with broker.consume("work", prefetch=1) as subscription:
        await subscription.cancel()
        await subscription.cancel()
    assert broker.depth("work") == 1


async def test_untaken_deliveries_go_back_marked(broker: MemoryBroker) -> None:
    await send(broker, "work", b"never taken")
    async with broker.consume("work", prefetch=1) as subscription:
        assert subscription.untaken == 1
        await subscription.cancel()
        assert broker.depth("work") == 1
    async with broker.consume("work", prefetch=1) as subscription:
        delivery = await take(aiter(subscription))
        assert (delivery.redelivered, delivery.delivery_count) == (True, 1)


@pytest.mark.parametrize("prefetch", [0, -1])
async def test_a_prefetch_without_a_bound_is_refused(broker: MemoryBroker, prefetch: int) -> None:
    with pytest.raises(InvalidSetting, match="prefetch"):
        async with broker.consume("work", prefetch=prefetch):
            pytest.fail("AMQP takes 0 for no bound at all")


async def test_until_empty_waits_for_the_last_settlement(broker: MemoryBroker) -> None:
    await send(broker, "work", b"1")
    emptied = anyio.Event()

    async def wait() -> None:
        await broker.wait_until_empty("work")
        emptied.set()

    async with broker.consume("work", prefetch=1) as subscription, anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        delivery = await take(aiter(subscription))
        await anyio.wait_all_tasks_blocked()
        assert not emptied.is_set()
        await broker.settle(delivery, Settlement.ACK)
        await emptied.wait()


async def test_idle_counts_delayed_messages_unless_asked_otherwise(
    broker: MemoryBroker, clock: FrozenClock
) -> None:
    await send(broker, "retry", b"later")
    await broker.idle(ignore_delayed=True)
    idle = anyio.Event()

    async def consume() -> None:
        async with broker.consume("work", prefetch=1) as subscription:
            await settle_next(broker, aiter(subscription))

    async def wait() -> None:
        await broker.idle()
        idle.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not idle.is_set()
        clock.advance(30)
        await idle.wait()


async def test_resting_queues_may_hold_their_letters(broker: MemoryBroker) -> None:
    await send(broker, "dead", b"letter")
    await broker.idle(resting=["dead"])


async def test_two_who_wait_and_look_do_not_keep_each_other_awake(broker: MemoryBroker) -> None:
    looks = []

    def look() -> bool:
        looks.append(broker.depth("work"))
        return looks[-1] == 1

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(broker.wait_until, look)
        await anyio.wait_all_tasks_blocked()
        assert looks == [0, 0]
        await send(broker, "work", b"1")
    assert looks == [0, 0, 1, 1]


@pytest.mark.parametrize("look", ["depth", "unsettled", "dropped", "lose_acks"])
def test_asking_about_a_queue_that_is_not_there_says_so(look: str) -> None:
    with pytest.raises(NotDeclared, match="nowhere"):
        getattr(MemoryBroker(), look)("nowhere")
