"""RabbitMQ goes away and comes back: publishes wait for it, workers go on, and nobody is started again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import anyio
import anyio.to_thread
import pytest
from consumer.bench import attempts
from consumer.broker_steps import PATIENCE_SECONDS, send, settle_next
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench, shared_topology
from consumer.rabbitmq.rabbitmq_steps import FailingProxy, NotedCounters, failing_proxy
from rabbitmq_server import RabbitMQ

from relayna.consumer import TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.broker import Message
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.consumer.rabbitmq.pace import RECONNECT_BACKOFF
from relayna.errors import Disconnected
from relayna.streams.recording.backoff import Backoff
from relayna.topologies.declarations import Declarations, Queue

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq, pytest.mark.fault]

LOST: Final = "relayna_broker_connections_lost_total"
FAILED: Final = "relayna_broker_connections_failed_total"
PROMPT: Final = Backoff(first_seconds=0.01, longest_seconds=0.01)
"""So that nobody waits for longer than the one second between two tries."""
SOAK_SECONDS: Final = 30


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


async def publish_many(broker: RabbitMQBroker, queue: str, count: int) -> None:
    """Publish these at a time; each must be confirmed, however long it takes."""

    async def publish(number: int) -> None:
        message = Message(body=b"%d" % number)
        await broker.publish(message, exchange="", routing_key=queue, confirm_timeout=9 * PATIENCE_SECONDS)

    async with anyio.create_task_group() as publishing:
        for number in range(count):
            publishing.start_soon(publish, number)


async def all_taken(broker: RabbitMQBroker, queue: str, count: int) -> list[int]:
    """What the next deliveries say, in the order of their numbers; there are no more of them."""
    async with broker.consume(queue, prefetch=1) as subscription:
        deliveries = aiter(subscription)
        taken = [int((await settle_next(broker, deliveries)).message.body) for _ in range(count)]
        await send(broker, queue, b"-1")
        assert (await settle_next(broker, deliveries)).message.body == b"-1"
    return sorted(taken)


def test_nobody_stays_away_for_long_after_the_broker_is_back() -> None:
    assert max(RECONNECT_BACKOFF.seconds(failures) for failures in range(1, 50)) <= 5


async def test_a_publish_waits_for_a_broker_that_comes_back(
    proxy: FailingProxy, queue: str, counters: NotedCounters
) -> None:
    async with RabbitMQBroker(proxy.url, counters=counters, backoff=PROMPT, publish_channels=3) as broker:
        await publish_many(broker, queue, 5)
        proxy.unplug()
        await counters.reach(LOST, 2)
        async with anyio.create_task_group() as meanwhile:
            meanwhile.start_soon(publish_many, broker, queue, 10)
            await counters.reach(FAILED, 4)
            proxy.plug_in()
        assert await all_taken(broker, queue, 15) == sorted([*range(5), *range(10)])


async def test_a_publish_waits_for_a_node_that_is_started_again(
    rabbitmq: RabbitMQ, queue: str, counters: NotedCounters
) -> None:
    node = rabbitmq.node
    async with RabbitMQBroker(rabbitmq.url, counters=counters, backoff=PROMPT) as broker:
        await anyio.to_thread.run_sync(node.write_down_queues)
        node.kill()
        await counters.reach(LOST, 2)
        async with anyio.create_task_group() as meanwhile:
            meanwhile.start_soon(publish_many, broker, queue, 10)
            await anyio.to_thread.run_sync(node.start_again)
        assert await all_taken(broker, queue, 10) == list(range(10))


async def test_a_broker_that_stays_away_ends_every_publish_that_waits(
    proxy: FailingProxy, queue: str, counters: NotedCounters
) -> None:
    async def publish(broker: RabbitMQBroker) -> None:
        with pytest.raises(Disconnected, match=r"down for 0\.2 s: nothing was sent"):
            await broker.publish(Message(body=b"?"), exchange="", routing_key=queue, confirm_timeout=0.2)

    async with RabbitMQBroker(proxy.url, counters=counters, publish_channels=2) as broker:
        proxy.unplug()
        await counters.reach(LOST, 2)
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as publishing:
                for _ in range(5):  # more than may publish at a time
                    publishing.start_soon(publish, broker)
        proxy.plug_in()
        await publish_many(broker, queue, 1)
        assert await all_taken(broker, queue, 1) == [0]


async def test_leaving_ends_a_publish_that_waits(
    proxy: FailingProxy, queue: str, counters: NotedCounters
) -> None:
    async def publish(broker: RabbitMQBroker) -> None:
        with pytest.raises(Disconnected):
            await broker.publish(Message(body=b"?"), exchange="", routing_key=queue, confirm_timeout=600)

    with anyio.fail_after(3 * PATIENCE_SECONDS):
        async with (
            anyio.create_task_group() as publishing,
            RabbitMQBroker(proxy.url, counters=counters) as broker,
        ):
            proxy.unplug()
            await counters.reach(LOST, 2)
            publishing.start_soon(publish, broker)
            await anyio.wait_all_tasks_blocked()


class Weather:
    """A worker that holds one task when the broker goes away, and gets another while it is away."""

    def __init__(self, bench: RabbitMQBench) -> None:
        self.bench = bench
        self._let_go = anyio.Event()

    async def handle(self, task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "held":
            await self._let_go.wait()

    async def weather(self, break_and_mend: Callable[[], Awaitable[None]]) -> None:
        """See everything done, before the outage, through it and after it."""
        bench = self.bench
        consumer = TaskConsumer(rabbitmq=bench.client, handler=self.handle, prefetch=2)
        async with bench.working(consumer):
            await bench.client.publish_task("before")
            await bench.until(("before", "completed"))
            await bench.client.publish_task("held")
            await bench.until(("held", "processing"))
            await break_and_mend()
            await bench.client.publish_task("after")
            await bench.until(*((name, "completed") for name in ("held", "during", "after")))
        for name in ("before", "during", "after"):
            assert attempts(await bench.graph(name)) == [("acked", "succeeded")], name
        held = [outcome for outcome, _ in attempts(await bench.graph("held"))]
        # A node that has just come up may drop a connection once more.
        assert len(held) >= 2
        assert held.index("acked") == len(held) - 1

    async def publish_during(self) -> None:
        """Publish a task, again and again while nothing can be sent."""
        self._let_go.set()  # its worker comes to the end of it, and can tell nobody
        while True:
            try:
                await self.bench.client.publish_task("during")
            except Disconnected:
                continue
            return


async def test_workers_and_producers_go_on_by_themselves(
    rabbitmq: RabbitMQ, proxy: FailingProxy, counters: NotedCounters
) -> None:
    broker = RabbitMQBroker(proxy.url, counters=counters, backoff=PROMPT)
    topology = shared_topology(proxy.url, rabbitmq.name())
    async with RabbitMQBench(rabbitmq, topology, broker=broker) as bench:
        weather = Weather(bench)

        async def unplug() -> None:
            proxy.unplug()
            await counters.reach(FAILED, 6)
            async with anyio.create_task_group() as meanwhile:
                meanwhile.start_soon(weather.publish_during)
                await anyio.wait_all_tasks_blocked()
                proxy.plug_in()

        await weather.weather(unplug)


@pytest.mark.soak
async def test_workers_and_producers_go_on_after_half_a_minute(
    rabbitmq: RabbitMQ, counters: NotedCounters
) -> None:
    node = rabbitmq.node
    broker = RabbitMQBroker(node.url, counters=counters)
    async with RabbitMQBench(rabbitmq, broker=broker, patience_seconds=10 * SOAK_SECONDS) as bench:
        weather = Weather(bench)

        async def restart() -> None:
            await anyio.to_thread.run_sync(node.write_down_queues)
            node.kill()
            await counters.reach(LOST, 2)
            with pytest.raises(Disconnected):
                await bench.client.publish_task("never there")
            await anyio.sleep(SOAK_SECONDS)  # the outage itself: that it lasts is what is tried
            async with anyio.create_task_group() as meanwhile:
                meanwhile.start_soon(weather.publish_during)
                await anyio.to_thread.run_sync(node.start_again)

        await weather.weather(restart)


async def test_a_worker_whose_broker_is_gone_can_still_end(
    rabbitmq: RabbitMQ, proxy: FailingProxy, counters: NotedCounters
) -> None:
    entered, let_go = anyio.Event(), anyio.Event()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        entered.set()
        await let_go.wait()

    broker = RabbitMQBroker(proxy.url, counters=counters, backoff=PROMPT)
    topology = shared_topology(proxy.url, rabbitmq.name())
    async with RabbitMQBench(rabbitmq, topology, broker=broker) as bench:
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handle)):
            await bench.client.publish_task("held")
            await entered.wait()
            proxy.unplug()
            await counters.reach(LOST, 2)
            let_go.set()
        # It has ended, and told what it could tell.
        assert attempts(await bench.graph("held")) == [("released", "abandoned")]
        proxy.plug_in()
        with anyio.fail_after(3 * PATIENCE_SECONDS):
            await broker._now().consuming.up()
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handle)):
            await bench.until(("held", "completed"))
