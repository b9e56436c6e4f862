"""Connections to RabbitMQ that are refused, lost, silent or shared."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import pytest
from anyio.abc import SocketAttribute, SocketStream
from consumer.broker_steps import PATIENCE_SECONDS, send, settle_next, take
from consumer.rabbitmq.rabbitmq_steps import FailingProxy, NotedCounters, failing_proxy
from rabbitmq_server import RabbitMQ

from relayna.consumer.broker import Delivery, Message, Settlement
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.errors import BrokerRefused, BrokerUnreachable, Disconnected, InvalidSetting, OutcomeUnknown
from relayna.topologies.declarations import Declarations, Queue

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]

LOST = "relayna_broker_connections_lost_total"
FAILED = "relayna_broker_connections_failed_total"


@pytest.fixture
def counters() -> NotedCounters:
    return NotedCounters()


@pytest.fixture
async def proxy(rabbitmq: RabbitMQ) -> AsyncIterator[FailingProxy]:
    async with failing_proxy(rabbitmq.url) as proxy:
        yield proxy


@pytest.fixture
async def queue(rabbitmq: RabbitMQ) -> str:
    async with RabbitMQBroker(rabbitmq.url) as broker:
        name = rabbitmq.name()
        await broker.declare(Declarations(queues=(Queue(name=name),)))
        return name


async def both_up(broker: RabbitMQBroker) -> None:
    """Return when both connections are there again."""
    with anyio.fail_after(3 * PATIENCE_SECONDS):
        await broker._now().publishing.up()
        await broker._now().consuming.up()


async def publish_in_spite_of_all(broker: RabbitMQBroker, queue: str, message: Message) -> None:
    """Publish it, again if need be: with the same id, that is safe."""
    while True:
        try:
            return await broker.publish(message, exchange="", routing_key=queue, confirm_timeout=5)
        except (Disconnected, OutcomeUnknown):
            await both_up(broker)


async def test_it_closes_with_the_last_of_its_users(rabbitmq: RabbitMQ, queue: str) -> None:
    broker = RabbitMQBroker(rabbitmq.url)
    async with broker:
        async with broker, broker:
            pass
        await send(broker, queue, b"still open")
    with pytest.raises(Disconnected):
        await send(broker, queue, b"")
    with pytest.raises(Disconnected):
        await broker.declare(Declarations())
    with pytest.raises(Disconnected):
        async with broker.consume(queue, prefetch=1):
            pytest.fail("nobody is connected")
    async with broker, broker.consume(queue, prefetch=1) as subscription:
        assert (await take(aiter(subscription))).message.body == b"still open"


async def test_leaving_ends_iterations_and_gives_back(rabbitmq: RabbitMQ, queue: str) -> None:
    broker = RabbitMQBroker(rabbitmq.url)
    taken: list[Delivery] = []
    got_one = anyio.Event()

    async def consume() -> None:
        async with broker.consume(queue, prefetch=2) as subscription:
            async for delivery in subscription:
                taken.append(delivery)
                got_one.set()

    async with anyio.create_task_group() as tasks, broker:
        await send(broker, queue, b"1")
        tasks.start_soon(consume)
        await got_one.wait()
    assert not broker.is_open(taken[0])
    with pytest.raises(Disconnected):
        await broker.settle(taken[0], Settlement.ACK)
    async with broker, broker.consume(queue, prefetch=1) as subscription:
        again = await take(aiter(subscription))
    assert (again.message.body, again.redelivered) == (b"1", True)
    assert again.channel != taken[0].channel


@pytest.mark.fault
async def test_it_waits_for_a_broker_that_is_not_there_yet(
    rabbitmq: RabbitMQ, queue: str, counters: NotedCounters
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    parts = urlsplit(rabbitmq.url)
    secrets = parts.netloc.rpartition("@")[0]
    url = parts._replace(netloc=f"{secrets}@127.0.0.1:{port}").geturl()
    broker = RabbitMQBroker(url, counters=counters)

    used = anyio.Event()

    async def use() -> None:
        async with broker:
            await send(broker, queue, b"at last")
            used.set()

    with anyio.fail_after(3 * PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use)
            await counters.reach(FAILED, 2)
            async with failing_proxy(rabbitmq.url, port=port):
                await used.wait()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_waiting_has_an_end_that_says_why(host: str) -> None:
    with pytest.raises(BrokerUnreachable) as caught:
        async with RabbitMQBroker(f"amqp://u:hunter2@{host}:1/", connect_timeout=0.5):
            pytest.fail("there is nothing there")
    assert str(caught.value) == (
        f"No RabbitMQ answers at amqp://***@{host}:1/: connection refused. Is it running and reachable?"
    )


def test_it_does_not_wait_for_ever_unless_it_is_told_to() -> None:
    assert RabbitMQBroker("amqp://h/")._connect_timeout == 60
    assert RabbitMQBroker("amqp://h/", connect_timeout=None)._connect_timeout is None


async def test_what_says_nothing_is_named() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as silent:
        port = silent.extra(SocketAttribute.local_port)
        with pytest.raises(
            BrokerUnreachable, match=r"no AMQP greeting within 0\.5 s; perhaps something else"
        ):
            async with RabbitMQBroker(f"amqp://127.0.0.1:{port}/", connect_timeout=0.5):
                pytest.fail("nobody spoke")


async def test_what_speaks_something_else_is_named(counters: NotedCounters) -> None:
    async def answer(client: SocketStream) -> None:
        async with client:
            await client.receive(8)
            await client.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as serving,
    ):
        serving.start_soon(listener.serve, answer)
        port = listener.extra(SocketAttribute.local_port)
        with pytest.raises(BrokerUnreachable, match=r"what answers there does not speak AMQP 0-9-1"):
            async with RabbitMQBroker(f"amqp://127.0.0.1:{port}/", connect_timeout=1):
                pytest.fail("that is no broker")
        serving.cancel_scope.cancel()


@pytest.mark.fault
async def test_a_subscription_goes_on_after_its_connection_was_dropped(
    proxy: FailingProxy, queue: str, counters: NotedCounters
) -> None:
    async with (
        RabbitMQBroker(proxy.url, counters=counters) as broker,
        broker.consume(queue, prefetch=2) as subscription,
    ):
        await send(broker, queue, b"taken", b"untaken")
        deliveries = aiter(subscription)
        lost = await take(deliveries)
        proxy.drop()
        await counters.reach(LOST, 2)
        assert not broker.is_open(lost)
        with pytest.raises(Disconnected):
            await broker.settle(lost, Settlement.ACK)
        again = [await settle_next(broker, deliveries) for _ in range(2)]
        assert sorted(one.message.body for one in again) == [b"taken", b"untaken"]
        assert all(one.channel != lost.channel for one in again)
        assert {one.message.body for one in again if one.redelivered} >= {b"taken"}
        await both_up(broker)
        await send(broker, queue, b"after")
        assert (await settle_next(broker, deliveries)).message.body == b"after"


@pytest.mark.fault
async def test_a_silent_connection_hangs_nothing_and_is_given_up(
    proxy: FailingProxy, queue: str, counters: NotedCounters
) -> None:
    async with (
        RabbitMQBroker(proxy.url, counters=counters, heartbeat_seconds=1) as broker,
        broker.consume(queue, prefetch=1) as subscription,
    ):
        deliveries = aiter(subscription)
        await send(broker, queue, b"1")
        held = await take(deliveries)
        proxy.go_silent()
        with pytest.raises(OutcomeUnknown):
            await broker.publish(Message(body=b"?"), exchange="", routing_key=queue, confirm_timeout=0.1)
        await counters.reach(LOST, 2)
        assert not broker.is_open(held)
        again = await settle_next(broker, deliveries)
        assert (again.message.body, again.redelivered) == (b"1", True)


@pytest.mark.fault
async def test_a_publish_that_loses_its_connection_has_an_unknown_outcome(
    proxy: FailingProxy, queue: str
) -> None:
    async def publish(broker: RabbitMQBroker) -> None:
        with pytest.raises(OutcomeUnknown):
            await broker.publish(Message(body=b"?"), exchange="", routing_key=queue, confirm_timeout=30)

    async with RabbitMQBroker(proxy.url) as broker:
        await send(broker, queue, b"opens a channel")
        proxy.go_silent()
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(publish, broker)
                await anyio.wait_all_tasks_blocked()
                proxy.drop()


@pytest.mark.fault
async def test_nothing_confirmed_is_lost_when_the_broker_dies(rabbitmq: RabbitMQ, queue: str) -> None:
    node = rabbitmq.node
    sent = [f"m-{number}" for number in range(200)]
    await anyio.to_thread.run_sync(node.write_down_queues)
    seen: set[str | None] = set()
    halfway, complete = anyio.Event(), anyio.Event()

    async def publish(broker: RabbitMQBroker) -> None:
        for number, message_id in enumerate(sent):
            if number == len(sent) // 2:
                halfway.set()
            await publish_in_spite_of_all(broker, queue, Message(body=b"x", message_id=message_id))

    async def consume(broker: RabbitMQBroker) -> None:
        async with broker.consume(queue, prefetch=10) as subscription:
            async for delivery in subscription:
                try:
                    await broker.settle(delivery, Settlement.ACK)
                except Disconnected:
                    continue
                seen.add(delivery.message.message_id)
                if len(seen) == len(sent):
                    complete.set()

    with anyio.fail_after(9 * PATIENCE_SECONDS):
        async with RabbitMQBroker(rabbitmq.url) as broker, anyio.create_task_group() as tasks:
            tasks.start_soon(consume, broker)
            tasks.start_soon(publish, broker)
            await halfway.wait()
            node.kill()
            await anyio.to_thread.run_sync(node.start_again)
            await complete.wait()
            tasks.cancel_scope.cancel()
    assert seen == set(sent)


async def test_with_tls(rabbitmq: RabbitMQ, queue: str) -> None:
    async with RabbitMQBroker(rabbitmq.node.tls_url) as broker:
        await send(broker, queue, b"sealed")
        async with broker.consume(queue, prefetch=1) as subscription:
            assert (await settle_next(broker, aiter(subscription))).message.body == b"sealed"


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(rabbitmq: RabbitMQ) -> None:
    url = rabbitmq.node.tls_url.partition("?")[0]
    with pytest.raises(Disconnected):
        async with RabbitMQBroker(url, connect_timeout=0.5):
            pytest.fail("anybody could be there")


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts._replace(netloc=f"tester:hunter2@{parts.netloc.rpartition('@')[2]}"),
        lambda parts: parts._replace(path="/nowhere"),
    ],
    ids=["password", "virtual host"],
)
async def test_a_refusal_is_reported_at_once(
    rabbitmq: RabbitMQ, change: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    url = change(urlsplit(rabbitmq.url)).geturl()
    with pytest.raises(BrokerRefused, match="Check user") as caught:
        async with RabbitMQBroker(url):
            pytest.fail("nobody was let in")
    assert "hunter2" not in str(caught.value)
    assert str(urlsplit(url).password) not in str(caught.value)
    assert "keep trying" not in caplog.text


@pytest.mark.fault
async def test_credentials_are_never_shown(
    proxy: FailingProxy, queue: str, counters: NotedCounters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    parts = urlsplit(proxy.url)
    secret, user = str(parts.password), f"{parts.username}:"
    broker = RabbitMQBroker(proxy.url, counters=counters)
    shown = [repr(broker), broker.url, repr(broker._address), str(broker._address.__rich_repr__())]
    async with broker:
        await send(broker, queue, b"x")
        proxy.unplug()
        await counters.reach(LOST, 2)
        publish = broker.publish(Message(body=b"x"), exchange="", routing_key=queue, confirm_timeout=0.1)
        for attempt in (publish, broker.declare(Declarations())):
            with pytest.raises(Disconnected) as caught:
                await attempt
            shown.append(str(caught.value))
        proxy.plug_in()
        await both_up(broker)
    again = [record.levelname for record in caplog.records if record.getMessage().endswith("ing again")]
    assert again[-2:] == ["WARNING", "WARNING"]  # as loud as what it ends
    shown += [f"{record.getMessage()} {record.exc_text}" for record in caplog.records]
    assert [line for line in shown if secret in line] == []
    loud = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert [line for line in loud if user in line] == []


@pytest.mark.parametrize(
    "url",
    ["redis://u:hunter2@h/", "amqp://u:hunter2@h:port/", "amqp://u:hunt/er2@h/", "amqp://", "hunter2", 7],
)
def test_a_url_that_leads_nowhere_is_refused_without_repeating_it(url: object) -> None:
    with pytest.raises(InvalidSetting) as caught:
        RabbitMQBroker(url)  # type: ignore[arg-type]
    assert "hunt" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"heartbeat_seconds": 0}, {"publish_channels": 0}, {"connect_timeout": 0}, {"connect_timeout": "9"}],
    ids=str,
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting, match=next(iter(options))):
        RabbitMQBroker("amqp://h/", **options)


@pytest.mark.fault
async def test_a_cancelled_user_leaves_no_closing_behind(rabbitmq: RabbitMQ) -> None:
    with anyio.CancelScope() as scope:
        async with RabbitMQBroker(rabbitmq.url) as broker:
            connected = broker._connected
            assert connected is not None
            links = (connected.publishing, connected.consuming)
            connections = [link._connection for link in links]
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert all(connection is not None and connection.is_closed for connection in connections)
    assert broker._errands._under_way == set()
