"""What every broker must do, whatever is behind it. Written against the protocol alone.

A broker joins by a test class of its own that says how to open one:

    class TestMyBroker(BrokerContract):
        @pytest.fixture
        def broker_factory(self):
            return MyBroker
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from consumer.broker_steps import bodies, send, settle_next, take
from consumer.delivery_contract import DeliveryContract

from relayna.consumer.broker import Broker, Message
from relayna.errors import ConfigurationMismatch, InvalidMessage, NotDeclared, Unroutable
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue

__all__ = ["BrokerContract"]


class BrokerContract(DeliveryContract):
    """Declaring and publishing; what comes after is in `DeliveryContract`."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    async def broker(self, broker_factory: Callable[[], Broker]) -> AsyncIterator[Broker]:
        async with broker_factory() as broker:
            yield broker

    @pytest.fixture
    def name(self) -> str:
        """A prefix of this test's own: a real broker remembers what other tests declared."""
        return f"contract-{uuid4().hex}"

    @pytest.fixture
    async def queue(self, broker: Broker, name: str) -> str:
        """A queue whose dead letters go to the queue `<its name>.dead`."""
        work = Queue(
            name=name,
            dead_letter_exchange="",
            dead_letter_routing_key=f"{name}.dead",
            delivery_limit=100,  # without one, RabbitMQ puts a released message behind the others
        )
        await broker.declare(Declarations(queues=(work, Queue(name=f"{name}.dead"))))
        return name

    # Declaring

    async def test_declaring_the_same_again_changes_nothing(self, broker: Broker, name: str) -> None:
        declarations = Declarations(
            exchanges=(Exchange(name=f"{name}.x", kind="topic"),),
            queues=(Queue(name=name, message_ttl_ms=60_000),),
            bindings=(Binding(queue=name, exchange=f"{name}.x", routing_key="a.#"),),
        )
        await broker.declare(declarations)
        await broker.publish(Message(body=b"kept"), exchange=f"{name}.x", routing_key="a.b")
        await broker.declare(declarations)
        async with broker.consume(name, prefetch=2) as subscription:
            deliveries = aiter(subscription)
            assert (await settle_next(broker, deliveries)).message.body == b"kept"
            await send(broker, name, b"one copy only")
            assert await bodies(deliveries, 1) == [b"one copy only"]

    @pytest.mark.parametrize(
        "changes", [{"message_ttl_ms": 1}, {"dead_letter_exchange": "other"}, {"delivery_limit": 3}], ids=str
    )
    async def test_a_queue_with_other_arguments_is_a_mismatch(
        self, broker: Broker, queue: str, changes: dict[str, object]
    ) -> None:
        with pytest.raises(ConfigurationMismatch) as caught:
            await broker.declare(Declarations(queues=(Queue(name=queue, **changes),)))
        assert caught.value.name == queue
        await send(broker, queue, b"still works")
        async with broker.consume(queue, prefetch=1) as subscription:
            assert await bodies(aiter(subscription), 1) == [b"still works"]

    async def test_an_exchange_of_another_kind_is_a_mismatch(self, broker: Broker, name: str) -> None:
        await broker.declare(Declarations(exchanges=(Exchange(name=name, kind="direct"),)))
        with pytest.raises(ConfigurationMismatch):
            await broker.declare(Declarations(exchanges=(Exchange(name=name, kind="fanout"),)))

    async def test_a_quorum_queue_takes_no_priorities(self, broker: Broker, name: str) -> None:
        with pytest.raises(ConfigurationMismatch):
            await broker.declare(Declarations(queues=(Queue(name=name, kind="quorum", max_priority=5),)))

    async def test_consuming_a_queue_that_is_not_there_says_so(self, broker: Broker, name: str) -> None:
        with pytest.raises(NotDeclared, match=name):
            async with broker.consume(name, prefetch=1):
                pytest.fail("there is nothing to consume")

    # Publishing

    async def test_a_message_arrives_with_where_it_came_from(self, broker: Broker, name: str) -> None:
        await broker.declare(
            Declarations(
                exchanges=(Exchange(name=f"{name}.x"),),
                queues=(Queue(name=name),),
                bindings=(Binding(queue=name, exchange=f"{name}.x", routing_key="key"),),
            )
        )
        await broker.publish(Message(body=b"hello"), exchange=f"{name}.x", routing_key="key")
        async with broker.consume(name, prefetch=1) as subscription:
            delivery = await take(aiter(subscription))
            assert delivery.message.body == b"hello"
            assert (delivery.queue_name, delivery.exchange, delivery.routing_key) == (
                name,
                f"{name}.x",
                "key",
            )
            assert not delivery.redelivered
            assert not delivery.delivery_count
            assert broker.is_open(delivery)

    async def test_properties_and_headers_come_through(self, broker: Broker, queue: str) -> None:
        sent = Message(
            body=b"{}",
            headers={
                "text": "grüße",
                "number": -(2**63),
                "yes": True,
                "nothing": None,
                "half": 0.5,
                "nested": {"list": [1, "two", {"three": 3}]},
            },
            message_id="m" * 255,
            correlation_id="c-1",
            content_type="application/vnd.example+json",
            priority=3,
        )
        await broker.publish(sent, exchange="", routing_key=queue)
        async with broker.consume(queue, prefetch=1) as subscription:
            assert (await take(aiter(subscription))).message == sent

    @pytest.mark.parametrize("size", [0, 1_048_576], ids=["empty", "1 MiB"])
    async def test_bodies_of_any_size_come_through(self, broker: Broker, queue: str, size: int) -> None:
        body = bytes(range(256)) * (size // 256)
        await send(broker, queue, body)
        async with broker.consume(queue, prefetch=1) as subscription:
            assert await bodies(aiter(subscription), 1) == [body]

    async def test_a_message_id_beyond_255_bytes_is_refused(self, broker: Broker, queue: str) -> None:
        with pytest.raises(InvalidMessage) as caught:
            await broker.publish(Message(body=b"", message_id="é" * 128), exchange="", routing_key=queue)
        assert caught.value.field == "message_id"

    async def test_an_integer_header_beyond_64_bits_is_refused(self, broker: Broker, queue: str) -> None:
        with pytest.raises(InvalidMessage, match="big"):
            await broker.publish(Message(body=b"", headers={"big": 2**63}), exchange="", routing_key=queue)

    async def test_a_message_for_no_queue_is_unroutable(self, broker: Broker, name: str) -> None:
        with pytest.raises(Unroutable) as caught:
            await send(broker, name, b"lost")
        assert (caught.value.exchange, caught.value.routing_key) == ("", name)

    async def test_a_key_that_nobody_bound_is_unroutable(self, broker: Broker, name: str) -> None:
        await broker.declare(
            Declarations(
                exchanges=(Exchange(name=f"{name}.x"),),
                queues=(Queue(name=name),),
                bindings=(Binding(queue=name, exchange=f"{name}.x", routing_key="bound"),),
            )
        )
        with pytest.raises(Unroutable):
            await broker.publish(Message(body=b""), exchange=f"{name}.x", routing_key="unbound")
        await broker.publish(Message(body=b"next"), exchange=f"{name}.x", routing_key="bound")
        async with broker.consume(name, prefetch=1) as subscription:
            assert await bodies(aiter(subscription), 1) == [b"next"]

    async def test_each_bound_queue_gets_a_copy_of_its_own(self, broker: Broker, name: str) -> None:
        names = (f"{name}.1", f"{name}.2")
        await broker.declare(
            Declarations(
                exchanges=(Exchange(name=name, kind="fanout"),),
                queues=tuple(Queue(name=one) for one in names),
                bindings=tuple(Binding(queue=one, exchange=name) for one in names),
            )
        )
        headers = {"seen_by": []}
        await broker.publish(Message(body=b"copy", headers=headers), exchange=name, routing_key="")
        for one in names:
            async with broker.consume(one, prefetch=1) as subscription:
                delivery = await settle_next(broker, aiter(subscription))
                assert delivery.message.headers == {"seen_by": []}
                delivery.message.headers["seen_by"].append(one)
        assert headers == {"seen_by": []}
