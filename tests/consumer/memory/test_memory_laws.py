"""The law of the broker in memory: whatever happens, no message is lost and none is doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import pytest
from consumer.broker_steps import settle_next
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.clock import FrozenClock
from relayna.consumer.broker import Delivery, Message, Settlement
from relayna.consumer.memory.broker import MemoryBroker
from relayna.consumer.memory.channel import MemorySubscription
from relayna.errors import Disconnected, OutcomeUnknown
from relayna.topologies.declarations import Declarations, Queue

pytestmark = pytest.mark.anyio

QUEUES = ("work", "retry", "dead")
CONSUMERS = 2

NUMBERS = st.integers(0, 7)
STEPS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(["work", "work", "retry"])),
    st.tuples(st.just("take"), NUMBERS),
    st.tuples(st.just("take"), NUMBERS),
    st.tuples(st.just("settle"), st.tuples(NUMBERS, st.sampled_from(Settlement))),
    st.tuples(st.just("settle"), st.tuples(NUMBERS, st.just(Settlement.ACK))),
    st.tuples(st.just("cancel"), NUMBERS),
    st.tuples(st.just("reopen"), NUMBERS),
    st.tuples(st.just("outage"), st.just(None)),
    st.tuples(st.just("lose_ack"), st.just(None)),
    st.tuples(st.just("lose_confirm"), st.just(None)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
)


class History:
    """Plays steps against a broker, and keeps the books that the broker must agree with."""

    def __init__(self, kind: Literal["quorum", "classic"], delivery_limit: int | None) -> None:
        self.clock = FrozenClock()
        self.broker = MemoryBroker(clock=self.clock)
        self.queues = (
            Queue(
                name="work",
                kind=kind,
                dead_letter_exchange="",
                dead_letter_routing_key="dead",
                delivery_limit=delivery_limit,
            ),
            Queue(
                name="retry", message_ttl_ms=2_000, dead_letter_exchange="", dead_letter_routing_key="work"
            ),
            Queue(name="dead"),
        )
        self.published: list[str] = []
        self.acked: list[str] = []
        self.taken: list[Delivery] = []
        self.consumers: list[tuple[AsyncExitStack, MemorySubscription]] = []
        self.down = False

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        async with self.broker:
            await self.broker.declare(Declarations(queues=self.queues))
            self.consumers = [await self.opened() for _ in range(CONSUMERS)]
            yield

    async def opened(self) -> tuple[AsyncExitStack, MemorySubscription]:
        stack = AsyncExitStack()
        subscription = await stack.enter_async_context(self.broker.consume("work", prefetch=2))
        return stack, subscription

    async def publish(self, queue_name: str) -> None:
        message_id = f"m{len(self.published)}"
        try:
            await self.broker.publish(
                Message(body=b"", message_id=message_id), exchange="", routing_key=queue_name
            )
        except Disconnected:
            assert self.down
            return
        except OutcomeUnknown:
            pass  # the memory broker always routes first
        self.published.append(message_id)

    async def take(self, number: int) -> None:
        _, subscription = self.consumers[number % CONSUMERS]
        if subscription.untaken:
            delivery = await anext(aiter(subscription))
            assert delivery.message.message_id not in self.held(), "handed to two at the same time"
            assert delivery.message.message_id not in self.acked, "handed out after its ack"
            self.taken.append(delivery)

    async def settle(self, choice: tuple[int, Settlement]) -> None:
        number, settlement = choice
        if not self.taken:
            return
        delivery = self.taken.pop(number % len(self.taken))
        was_open = self.broker.is_open(delivery)
        try:
            await self.broker.settle(delivery, settlement)
        except Disconnected:
            assert not self.broker.is_open(delivery)
            return
        assert was_open
        if settlement is Settlement.ACK:
            self.acked.append(str(delivery.message.message_id))

    async def cancel(self, number: int) -> None:
        await self.consumers[number % CONSUMERS][1].cancel()

    async def reopen(self, number: int) -> None:
        if not self.down:
            await self.consumers[number % CONSUMERS][0].aclose()
            self.consumers[number % CONSUMERS] = await self.opened()

    async def outage(self, _: None) -> None:
        if self.down:
            self.broker.reconnect()
        else:
            self.broker.disconnect()
        self.down = not self.down

    async def lose_ack(self, _: None) -> None:
        self.broker.lose_acks("work")

    async def lose_confirm(self, _: None) -> None:
        self.broker.lose_confirms()

    async def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    def held(self) -> list[str]:
        """What consumers have taken and not settled, on channels that are open."""
        return [str(one.message.message_id) for one in self.taken if self.broker.is_open(one)]

    def check(self) -> None:
        """Each message published is acked, or in one queue, waiting or unsettled; nothing else is."""
        inside = sum(self.broker.depth(name) + self.broker.unsettled(name) for name in QUEUES)
        assert len(self.acked) + inside == len(self.published)
        untaken = sum(subscription.untaken for _, subscription in self.consumers)
        assert self.broker.unsettled("work") == len(self.held()) + untaken
        assert all(self.broker.dropped(name) == 0 for name in QUEUES)

    async def drain(self) -> list[str]:
        """End every consumer, then find out what is left: all of it ends in the queue of the dead."""
        if self.down:
            await self.outage(None)
        for stack, _ in self.consumers:
            await stack.aclose()
        self.clock.advance(2)
        await self.refuse_all("work")
        return await self.refuse_all("dead")

    async def refuse_all(self, queue_name: str) -> list[str]:
        async with self.broker.consume(queue_name, prefetch=1) as subscription:
            deliveries = aiter(subscription)
            waiting = range(self.broker.depth(queue_name) + subscription.untaken)
            refused = [await settle_next(self.broker, deliveries, Settlement.REJECT) for _ in waiting]
        return [str(delivery.message.message_id) for delivery in refused]


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=40),
    kind_and_limit=st.sampled_from([("quorum", None), ("quorum", 1), ("classic", None)]),
)
async def test_every_message_is_acked_or_in_exactly_one_place(
    steps: list[tuple[str, object]], kind_and_limit: tuple[Literal["quorum", "classic"], int | None]
) -> None:
    history = History(*kind_and_limit)
    async with history.started():
        for step, argument in steps:
            await getattr(history, step)(argument)
            history.check()
        left = await history.drain()
    assert Counter(history.acked + left) == Counter(history.published)
