"""What every broker must do with deliveries: order, turns, settling, waiting, ending.

The half of `broker_contract.py` that begins when a message is in its queue. Nothing here waits for time
to pass: where a message must not come, something else must come instead.
"""

from __future__ import annotations

from datetime import datetime

import anyio
import pytest
from consumer.broker_steps import PATIENCE_SECONDS, bodies, send, settle_next, take

from relayna.consumer.broker import Broker, Message, Settlement
from relayna.errors import BrokerError, Disconnected
from relayna.topologies.declarations import Declarations, Queue

__all__ = ["DeliveryContract"]


class DeliveryContract:
    """Needs the fixtures `broker`, `name` and `queue` of `BrokerContract`."""

    # Order and turns

    async def test_messages_come_in_the_order_in_which_they_were_published(
        self, broker: Broker, queue: str
    ) -> None:
        sent = [b"%d" % number for number in range(50)]
        await send(broker, queue, *sent)
        async with broker.consume(queue, prefetch=7) as subscription:
            deliveries = aiter(subscription)
            assert [(await settle_next(broker, deliveries)).message.body for _ in sent] == sent

    async def test_prefetch_bounds_what_is_unsettled(self, broker: Broker, queue: str) -> None:
        await send(broker, queue, b"1", b"2", b"3")
        async with broker.consume(queue, prefetch=2) as bounded, broker.consume(queue, prefetch=1) as other:
            mine, others = aiter(bounded), aiter(other)
            first, second = await take(mine), await take(mine)
            third = await take(others)
            assert [one.message.body for one in (first, second, third)] == [b"1", b"2", b"3"]
            await broker.settle(first, Settlement.ACK)
            await send(broker, queue, b"4")
            assert await bodies(mine, 1) == [b"4"]

    async def test_competing_consumers_share_the_queue(self, broker: Broker, queue: str) -> None:
        async with broker.consume(queue, prefetch=1) as one, broker.consume(queue, prefetch=1) as two:
            await send(broker, queue, b"1", b"2")
            ones, twos = aiter(one), aiter(two)
            first, second = await take(ones), await take(twos)
            assert {first.message.body, second.message.body} == {b"1", b"2"}
            await send(broker, queue, b"3")
            await broker.settle(second, Settlement.ACK)
            assert await bodies(twos, 1) == [b"3"]

    async def test_higher_priorities_come_first(self, broker: Broker, name: str) -> None:
        await broker.declare(Declarations(queues=(Queue(name=name, kind="classic", max_priority=5),)))
        for body, priority in ((b"none", None), (b"low", 1), (b"high", 5), (b"over", 9), (b"high too", 5)):
            await broker.publish(Message(body=body, priority=priority), exchange="", routing_key=name)
        async with broker.consume(name, prefetch=1) as subscription:
            deliveries = aiter(subscription)
            order = [(await settle_next(broker, deliveries)).message.body for _ in range(5)]
        assert order == [b"high", b"over", b"high too", b"low", b"none"]

    # Settling

    async def test_an_acked_message_is_gone(self, broker: Broker, queue: str) -> None:
        await send(broker, queue, b"done")
        async with broker.consume(queue, prefetch=1) as subscription:
            await settle_next(broker, aiter(subscription))
        await send(broker, queue, b"next")
        async with broker.consume(queue, prefetch=1) as subscription:
            assert await bodies(aiter(subscription), 1) == [b"next"]

    async def test_a_released_message_comes_again_before_newer_ones(self, broker: Broker, queue: str) -> None:
        await send(broker, queue, b"1", b"2")
        async with broker.consume(queue, prefetch=1) as subscription:
            deliveries = aiter(subscription)
            first = await settle_next(broker, deliveries, Settlement.RELEASE)
            again = await settle_next(broker, deliveries)
            assert first.message.body == again.message.body == b"1"
            assert (first.redelivered, again.redelivered) == (False, True)
            assert again.delivery_count == 1
            last = await take(deliveries)
            assert (last.message.body, last.redelivered) == (b"2", False)

    async def test_a_rejected_message_is_dead_lettered(self, broker: Broker, queue: str) -> None:
        await broker.publish(
            Message(body=b"bad", headers={"mine": 1}, message_id="m-1"), exchange="", routing_key=queue
        )
        async with broker.consume(queue, prefetch=1) as subscription:
            await settle_next(broker, aiter(subscription), Settlement.REJECT)
        async with broker.consume(f"{queue}.dead", prefetch=1) as subscription:
            letter = await take(aiter(subscription))
        assert (letter.message.body, letter.message.message_id) == (b"bad", "m-1")
        assert letter.message.headers["mine"] == 1
        (death,) = letter.message.headers["x-death"]
        assert (death["queue"], death["reason"], death["count"]) == (queue, "rejected", 1)
        assert (death["exchange"], death["routing-keys"]) == ("", [queue])
        assert isinstance(death["time"], datetime)

    async def test_a_rejected_message_without_a_dead_letter_exchange_is_gone(
        self, broker: Broker, name: str
    ) -> None:
        await broker.declare(Declarations(queues=(Queue(name=name),)))
        await send(broker, name, b"bad", b"next")
        async with broker.consume(name, prefetch=1) as subscription:
            deliveries = aiter(subscription)
            await settle_next(broker, deliveries, Settlement.REJECT)
            assert await bodies(deliveries, 1) == [b"next"]

    async def test_settling_twice_is_an_error(self, broker: Broker, queue: str) -> None:
        await send(broker, queue, b"once")
        async with broker.consume(queue, prefetch=1) as subscription:
            delivery = await settle_next(broker, aiter(subscription))
            with pytest.raises(BrokerError):
                await broker.settle(delivery, Settlement.ACK)

    async def test_too_many_releases_dead_letter_the_message(self, broker: Broker, name: str) -> None:
        poisoned = Queue(
            name=name,
            dead_letter_exchange="",
            dead_letter_routing_key=f"{name}.dead",
            delivery_limit=2,
        )
        await broker.declare(Declarations(queues=(poisoned, Queue(name=f"{name}.dead"))))
        await send(broker, name, b"poison", b"next")
        async with broker.consume(name, prefetch=1) as subscription:
            deliveries = aiter(subscription)
            counts = []
            while (delivery := await take(deliveries)).message.body == b"poison":
                counts.append(delivery.delivery_count or 0)
                await broker.settle(delivery, Settlement.RELEASE)
        assert counts == [0, 1, 2]
        async with broker.consume(f"{name}.dead", prefetch=1) as subscription:
            letter = await take(aiter(subscription))
        assert letter.message.headers["x-death"][0]["reason"] == "delivery_limit"

    # Waiting

    async def test_a_retry_queue_gives_its_messages_back(self, broker: Broker, name: str) -> None:
        rungs = tuple(
            Queue(
                name=f"{name}.{delay}",
                message_ttl_ms=delay,
                dead_letter_exchange="",
                dead_letter_routing_key=name,
            )
            for delay in (40, 20)
        )
        await broker.declare(Declarations(queues=(Queue(name=name), *rungs)))
        for rung in rungs:
            await send(broker, rung.name, rung.name.encode())
        async with broker.consume(name, prefetch=2) as subscription:
            deliveries = aiter(subscription)
            returned = [await take(deliveries) for _ in rungs]
        assert {one.message.body for one in returned} == {rung.name.encode() for rung in rungs}
        for one in returned:
            assert (one.exchange, one.routing_key, one.redelivered) == ("", name, False)
            (death,) = one.message.headers["x-death"]
            assert (death["queue"], death["reason"]) == (one.message.body.decode(), "expired")

    async def test_deaths_are_counted_by_queue_and_reason(self, broker: Broker, name: str) -> None:
        retry = Queue(
            name=f"{name}.retry",
            message_ttl_ms=10,
            dead_letter_exchange="",
            dead_letter_routing_key=name,
        )
        work = Queue(name=name, dead_letter_exchange="", dead_letter_routing_key=retry.name)
        await broker.declare(Declarations(queues=(work, retry)))
        await send(broker, name, b"again")
        async with broker.consume(name, prefetch=1) as subscription:
            deliveries = aiter(subscription)
            for _ in range(2):
                await settle_next(broker, deliveries, Settlement.REJECT)
            last = await take(deliveries)
        deaths = [
            (death["queue"], death["reason"], death["count"]) for death in last.message.headers["x-death"]
        ]
        assert deaths == [(retry.name, "expired", 2), (name, "rejected", 2)]

    # Ending

    async def test_cancel_ends_iteration_and_gives_back_what_was_not_taken(
        self, broker: Broker, queue: str
    ) -> None:
        await send(broker, queue, b"1", b"2", b"3")
        async with broker.consume(queue, prefetch=3) as subscription:
            deliveries = aiter(subscription)
            taken = await take(deliveries)
            await subscription.cancel()
            with pytest.raises(StopAsyncIteration):
                await take(deliveries)
            async with broker.consume(queue, prefetch=3) as other:
                assert await bodies(aiter(other), 2) == [b"2", b"3"]
            assert broker.is_open(taken)
            await broker.settle(taken, Settlement.ACK)
        async with broker.consume(queue, prefetch=3) as subscription:
            assert await bodies(aiter(subscription), 2) == [b"2", b"3"]

    async def test_cancel_wakes_who_waits_for_a_delivery(self, broker: Broker, queue: str) -> None:
        async with broker.consume(queue, prefetch=1) as subscription:
            with anyio.fail_after(PATIENCE_SECONDS):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(subscription.cancel)
                    assert [delivery async for delivery in subscription] == []

    async def test_leaving_the_context_gives_back_what_is_unsettled(self, broker: Broker, queue: str) -> None:
        await send(broker, queue, b"1", b"2", b"3")
        async with broker.consume(queue, prefetch=3) as subscription:
            deliveries = aiter(subscription)
            await settle_next(broker, deliveries)
            unsettled = await take(deliveries)
        assert not broker.is_open(unsettled)
        with pytest.raises(Disconnected):
            await broker.settle(unsettled, Settlement.ACK)
        async with broker.consume(queue, prefetch=3) as subscription:
            deliveries = aiter(subscription)
            again = await take(deliveries)
            assert (again.message.body, again.redelivered) == (b"2", True)
            assert await bodies(deliveries, 1) == [b"3"]

    async def test_a_tag_means_nothing_on_another_channel(self, broker: Broker, queue: str) -> None:
        await send(broker, queue, b"1")
        async with broker.consume(queue, prefetch=1) as subscription:
            stale = await take(aiter(subscription))
        async with broker.consume(queue, prefetch=1) as subscription:
            current = await take(aiter(subscription))
            with pytest.raises(Disconnected):
                await broker.settle(stale, Settlement.ACK)
            assert broker.is_open(current)
            await broker.settle(current, Settlement.ACK)
