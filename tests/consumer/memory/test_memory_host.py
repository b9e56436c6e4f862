"""What becomes of messages in memory as time goes by, and what cannot be declared."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from consumer.broker_steps import bodies, send, settle_next, take

from relayna.clock import FrozenClock
from relayna.consumer.broker import Message, Settlement
from relayna.consumer.memory.broker import MemoryBroker
from relayna.errors import ConfigurationMismatch, NotDeclared, Unroutable
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue

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


async def test_a_message_waits_until_its_time_has_come(broker: MemoryBroker, clock: FrozenClock) -> None:
    await send(broker, "retry", b"later")
    clock.advance(29.999)
    assert (broker.depth("retry"), broker.depth("work")) == (1, 0)
    clock.advance(0.001)
    assert (broker.depth("retry"), broker.depth("work")) == (0, 1)


async def test_in_a_bounded_queue_the_oldest_gives_way(broker: MemoryBroker) -> None:
    await broker.declare(Declarations(queues=(Queue(name="bounded", max_length=2),)))
    await send(broker, "bounded", b"1", b"2", b"3")
    assert (broker.depth("bounded"), broker.dropped("bounded")) == (2, 1)
    async with broker.consume("bounded", prefetch=2) as subscription:
        assert await bodies(aiter(subscription), 2) == [b"2", b"3"]
        await send(broker, "bounded", b"4", b"5")  # what is handed out does not count
        assert (broker.depth("bounded"), broker.dropped("bounded")) == (2, 1)


async def test_advancing_wakes_a_consumer_that_waits(broker: MemoryBroker, clock: FrozenClock) -> None:
    await send(broker, "retry", b"later")
    async with broker.consume("work", prefetch=1) as subscription:
        clock.advance(30)
        delivery = await take(aiter(subscription))
    (death,) = delivery.message.headers["x-death"]
    assert (death["queue"], death["reason"]) == ("retry", "expired")


async def test_a_binding_of_a_queue_that_was_deleted_leads_nowhere(broker: MemoryBroker) -> None:
    exchange = Exchange(name="x")
    binding = Binding(queue="gone", exchange="x", routing_key="k")
    await broker.declare(
        Declarations(exchanges=(exchange,), queues=(Queue(name="gone"),), bindings=(binding,))
    )
    del broker._host._queues["gone"]
    with pytest.raises(Unroutable):
        await broker.publish(Message(body=b""), exchange="x", routing_key="k")


async def test_an_earlier_expiry_rings_first(broker: MemoryBroker, clock: FrozenClock) -> None:
    sooner = Queue(
        name="sooner", message_ttl_ms=1_000, dead_letter_exchange="", dead_letter_routing_key="work"
    )
    await broker.declare(Declarations(queues=(sooner,)))
    await send(broker, "retry", b"late")
    await send(broker, "sooner", b"soon")
    async with broker.consume("work", prefetch=2) as subscription:
        deliveries = aiter(subscription)
        for seconds, body in ((1, b"soon"), (29, b"late")):
            clock.advance(seconds)
            assert (await take(deliveries)).message.body == body


async def test_a_jump_of_the_clock_ends_where_its_ticks_would(
    broker: MemoryBroker, clock: FrozenClock
) -> None:
    chained = Queue(
        name="first", message_ttl_ms=10_000, dead_letter_exchange="", dead_letter_routing_key="retry"
    )
    await broker.declare(Declarations(queues=(chained,)))
    await send(broker, "first", b"twice delayed")
    clock.advance(39)
    assert (broker.depth("retry"), broker.depth("work")) == (1, 0)
    clock.advance(1)
    assert broker.depth("work") == 1


async def test_giving_back_does_not_prolong_a_life(broker: MemoryBroker, clock: FrozenClock) -> None:
    await send(broker, "retry", b"taken")
    async with broker.consume("retry", prefetch=1) as subscription:
        delivery = await take(aiter(subscription))
        clock.advance(31)
        assert broker.unsettled("retry") == 1
        await broker.settle(delivery, Settlement.RELEASE)
        assert (broker.unsettled("retry"), broker.depth("work")) == (0, 1)


async def test_no_time_to_live_is_enough_for_who_waits_already(broker: MemoryBroker) -> None:
    now_or_never = Queue(name="now", message_ttl_ms=0)
    await broker.declare(Declarations(queues=(now_or_never,)))
    await send(broker, "now", b"never")
    assert (broker.depth("now"), broker.dropped("now")) == (0, 1)
    async with broker.consume("now", prefetch=1) as subscription:
        await send(broker, "now", b"now")
        assert (await take(aiter(subscription))).message.body == b"now"


async def test_a_circle_of_expiries_is_broken(broker: MemoryBroker, clock: FrozenClock) -> None:
    round_and_round = tuple(
        Queue(name=name, message_ttl_ms=1_000, dead_letter_exchange="", dead_letter_routing_key=other)
        for name, other in (("ping", "pong"), ("pong", "ping"))
    )
    await broker.declare(Declarations(queues=round_and_round))
    await send(broker, "ping", b"dizzy")
    clock.advance(60)
    assert (broker.depth("ping"), broker.depth("pong"), broker.dropped("pong")) == (0, 0, 1)


async def test_messages_expire_while_nobody_is_connected(clock: FrozenClock) -> None:
    broker = MemoryBroker(clock=clock)
    async with broker:
        await broker.declare(Declarations(queues=(WORK, DEAD, RETRY)))
        await send(broker, "retry", b"later")
    clock.advance(30)
    assert broker.depth("work") == 1


async def test_what_waits_is_remembered_when_the_broker_is_entered_again(clock: FrozenClock) -> None:
    broker = MemoryBroker(clock=clock)
    async with broker:
        await broker.declare(Declarations(queues=(WORK, DEAD, RETRY)))
        await send(broker, "retry", b"later")
    async with broker, broker.consume("work", prefetch=1) as subscription:
        deliveries = aiter(subscription)
        clock.advance(30)
        assert (await take(deliveries)).message.body == b"later"


@pytest.mark.parametrize(
    "refused",
    [
        Queue(name="q", kind="quorum", max_priority=1),
        Queue(name="q", kind="classic", max_priority=256),
        Queue(name="q", kind="classic", delivery_limit=1),
        Queue(name="q", message_ttl_ms=-1),
        Queue(name="q", dead_letter_routing_key="dead"),
    ],
    ids=str,
)
async def test_a_queue_rabbitmq_answers_with_406(broker: MemoryBroker, refused: Queue) -> None:
    with pytest.raises(ConfigurationMismatch):
        await broker.declare(Declarations(queues=(refused,)))
    with pytest.raises(NotDeclared):
        broker.depth("q")


async def test_a_mismatch_names_every_difference(broker: MemoryBroker) -> None:
    with pytest.raises(ConfigurationMismatch, match="message_ttl_ms is 30000, not 5") as caught:
        await broker.declare(Declarations(queues=(Queue(name="retry", message_ttl_ms=5),)))
    assert "dead_letter_exchange is '', not None" in str(caught.value)


async def test_the_default_exchange_cannot_be_declared_or_bound(broker: MemoryBroker) -> None:
    with pytest.raises(ConfigurationMismatch):
        await broker.declare(Declarations(exchanges=(Exchange(name=""),)))
    with pytest.raises(ConfigurationMismatch):
        await broker.declare(Declarations(bindings=(Binding(queue="work", exchange=""),)))


@pytest.mark.parametrize(
    "binding",
    [Binding(queue="nowhere", exchange="x"), Binding(queue="work", exchange="nowhere")],
    ids=str,
)
async def test_a_binding_needs_both_ends(broker: MemoryBroker, binding: Binding) -> None:
    with pytest.raises(NotDeclared, match="nowhere"):
        await broker.declare(Declarations(exchanges=(Exchange(name="x"),), bindings=(binding,)))


async def test_publishing_to_an_exchange_that_is_not_there_is_unroutable(broker: MemoryBroker) -> None:
    with pytest.raises(Unroutable):
        await broker.publish(Message(body=b""), exchange="nowhere", routing_key="")


async def test_what_no_dead_letter_queue_takes_is_counted(broker: MemoryBroker) -> None:
    astray = Queue(name="astray", dead_letter_exchange="nowhere")
    await broker.declare(Declarations(queues=(astray,)))
    await send(broker, "astray", b"")
    async with broker.consume("astray", prefetch=1) as subscription:
        await settle_next(broker, aiter(subscription), Settlement.REJECT)
    assert broker.dropped("astray") == 1
