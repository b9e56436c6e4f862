"""A worker on a real RabbitMQ, beside a bare aio-pika consumer that only acks what it is handed.

Owns a node of its own. The bare consumer is the peer: it reads no envelope, runs no handler, records nothing.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from statistics import median
from time import perf_counter
from typing import Final

import aio_pika
import anyio
from aio_pika.abc import AbstractIncomingMessage
from msgspec import Struct

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, percentile
from benchmarks.targets import CONSUMER_BESIDE_BARE
from relayna.consumer import Delivery, RelaynaClient, Settlement, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.envelope_codec import EnvelopeCodec
from relayna.consumer.messages.outgoing import build_message
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.consumer.rabbitmq.message import outgoing_message
from relayna.consumer.rabbitmq.subscription import RabbitMQSubscription
from relayna.ids import TaskId
from relayna.mint import RandomMint
from relayna.streams import Recorder
from relayna.streams.redis.log import RedisLog
from relayna.topologies import SharedTasksSharedStatusTopology, declarations
from tools.rabbitmq_node import RabbitMQNode, find_rabbitmq

__all__ = ["RABBITMQ"]

_PREFETCH: Final = 50
_MESSAGES: Final = 2_000
_ONE_BY_ONE: Final = 100
_TOPOLOGY: Final = SharedTasksSharedStatusTopology(
    rabbitmq_url="amqp://none",
    status_exchange="statuses",
    status_queue="statuses",
    tasks_exchange="tasks",
    tasks_queue="work",
    tasks_routing_key="work",
)
_BARE: Final = "a bare aio-pika consumer that only acks"
_OFF: Final = "relayna, recording off, no statuses"
_ON: Final = "relayna, durable before ack, no statuses"
_BARE_STATUSES: Final = "a bare aio-pika consumer that publishes two confirmed messages and acks"
_ON_STATUSES: Final = "relayna, durable before ack, two confirmed statuses a message"
_NOT_QUICK: Final = "only in whole runs: the node takes 5 s to start"
_NO_SERVER: Final = "no rabbitmq-server: tools/install-test-servers brings one on Debian"


def _run(bench: Bench) -> Iterator[Figure]:
    script = find_rabbitmq()
    if bench.quick or script is None:
        note = _NOT_QUICK if bench.quick else _NO_SERVER
        yield Figure(name=f"{_ON}, beside the bare one", unit="of it", target=CONSUMER_BESIDE_BARE, note=note)
        return
    with RabbitMQNode(script) as node:
        yield from anyio.run(_measure, bench, node.url)


async def _measure(bench: Bench, url: str) -> list[Figure]:
    works: dict[str, Callable[[], Awaitable[float]]] = {
        _BARE: lambda: _bare(url, statuses=0),
        _OFF: lambda: _relayna(_Worker(url=url)),
        _ON: lambda: _relayna(_Worker(url=url, store=bench.store_url, prefix=bench.fresh_prefix())),
        _BARE_STATUSES: lambda: _bare(url, statuses=2),
        _ON_STATUSES: lambda: _relayna(
            _Worker(url=url, store=bench.store_url, prefix=bench.fresh_prefix(), statuses=True)
        ),
    }
    async with RabbitMQBroker(url) as broker:
        await broker.declare(declarations(_TOPOLOGY))
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(bench.rounds + 1):
        for name, work in works.items():
            await _publish(url, _MESSAGES)
            seconds = await work()
            if number:  # the first round warms up
                taken[name].append(seconds)
    return [*_rates(taken), *await _waits(bench, url)]


def _rates(taken: dict[str, list[float]]) -> Iterator[Figure]:
    for name, rounds in taken.items():
        yield Figure(name=name, unit="messages/s", samples=[_MESSAGES / one for one in rounds])
    for name, peer, target in (
        (_OFF, _BARE, None),
        (_ON, _BARE, CONSUMER_BESIDE_BARE),
        (_ON_STATUSES, _BARE_STATUSES, None),
    ):
        beside = "the bare one that publishes as much" if peer is _BARE_STATUSES else "the bare one"
        ratios = [bare / own for bare, own in zip(taken[peer], taken[name], strict=True)]
        yield Figure(
            name=f"{name}, beside {beside}", unit="of it", samples=ratios, target=target, beside=peer
        )


async def _waits(bench: Bench, url: str) -> list[Figure]:
    """From the end of the handler to the ack, one message at a time."""
    waits: dict[str, list[list[float]]] = {"off": [], "on": []}
    for _ in range(bench.rounds):
        for name, store in (("off", None), ("on", bench.store_url)):
            worker = _Worker(url=url, store=store, prefix=bench.fresh_prefix(), prefetch=1)
            waits[name].append(await _one_by_one(worker))
    half = [[median(one) * 1e6 for one in waits[name]] for name in ("off", "on")]
    slow = [[percentile(one, 99) * 1e6 for one in waits[name]] for name in ("off", "on")]
    return [
        Figure(
            name=f"{what} that durable before ack adds, one message at a time",
            unit="µs",
            samples=added,
            signed=True,
        )
        for what, (off, on) in (("median wait", half), ("99th percentile of the wait", slow))
        for added in ([with_it - without for without, with_it in zip(off, on, strict=True)],)
    ]


class _Worker(Struct, frozen=True, kw_only=True):
    """How a relayna worker is set up."""

    url: str
    store: str | None = None
    prefix: str = ""
    statuses: bool = False
    prefetch: int = _PREFETCH

    @asynccontextmanager
    async def at_work(self, deliveries: int) -> AsyncIterator[_CountingBroker]:
        """The worker's broker, from the moment that it takes deliveries until it has drained."""
        broker = _CountingBroker(self.url, deliveries=deliveries)
        sink = Recorder(RedisLog(self.store, prefix=self.prefix)) if self.store else None
        async with RelaynaClient(topology=_TOPOLOGY, broker=broker) as client:
            consumer = TaskConsumer(
                rabbitmq=client,
                handler=broker.handle,
                observation_sink=sink,
                prefetch=self.prefetch,
                lifecycle_statuses=self.statuses,
            )
            gc.collect()
            async with anyio.create_task_group() as tasks:
                await tasks.start(consumer.run)
                yield broker
                consumer.stop()


class _CountingBroker(RabbitMQBroker):
    """Knows when so many deliveries are settled, and how long after their handlers each of them was."""

    def __init__(self, url: str, *, deliveries: int) -> None:
        super().__init__(url)
        self.started = self.handled = 0.0
        self.waited: list[float] = []
        self._left = deliveries
        self._all_settled = anyio.Event()

    async def handle(self, task: TaskEnvelope, context: TaskContext) -> None:
        """An empty handler, but for a look at the clock."""
        self.handled = perf_counter()

    def consume(self, queue_name: str, *, prefetch: int) -> AbstractAsyncContextManager[RabbitMQSubscription]:
        self.started = perf_counter()
        return super().consume(queue_name, prefetch=prefetch)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        await super().settle(delivery, settlement)
        self.waited.append(perf_counter() - self.handled)
        self._left -= 1
        if not self._left:
            self._all_settled.set()

    async def until_settled(self) -> float:
        """Seconds from the subscription until the last of them is settled."""
        await self._all_settled.wait()
        return perf_counter() - self.started


async def _relayna(worker: _Worker) -> float:
    """Seconds from the subscription until every message is settled."""
    async with worker.at_work(_MESSAGES) as broker:
        return await broker.until_settled()


async def _one_by_one(worker: _Worker) -> list[float]:
    """Seconds from the end of each handler to its ack, while nothing else is under way."""
    await _publish(worker.url, _ONE_BY_ONE)
    async with worker.at_work(_ONE_BY_ONE) as broker:
        await broker.until_settled()
    return broker.waited


async def _publish(url: str, count: int) -> None:
    """Put so many tasks into the queue, as a client does; all of them are there when it returns."""
    codec, mint = EnvelopeCodec(), RandomMint()
    async with await aio_pika.connect(url) as connection:
        exchange = await (await connection.channel()).get_exchange(_TOPOLOGY.tasks_exchange, ensure=False)

        async def publish(number: int) -> None:
            task_id = TaskId(f"order/{number}")
            headers = CausalHeaders(task_id=task_id, message_id=mint.message_id())
            body = codec.encode(TaskEnvelope(task_id=task_id, payload={"number": number}))
            message = outgoing_message(build_message(body, headers, correlation_id=None))
            await exchange.publish(message, _TOPOLOGY.tasks_routing_key)

        async with anyio.create_task_group() as tasks:
            for number in range(count):
                tasks.start_soon(publish, number)


async def _bare(url: str, *, statuses: int) -> float:
    """Seconds from the subscription until every message is acked, after so many confirmed publishes."""
    left, done = _MESSAGES, anyio.Event()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(_PREFETCH)
        exchange = await channel.get_exchange(_TOPOLOGY.status_exchange, ensure=False)
        queue = await channel.get_queue(_TOPOLOGY.tasks_queue, ensure=False)

        async def ack(message: AbstractIncomingMessage) -> None:
            nonlocal left
            for _ in range(statuses):
                status = aio_pika.Message(message.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(status, "order")
            await message.ack()
            left -= 1
            if not left:
                done.set()

        gc.collect()
        start = perf_counter()
        await queue.consume(ack)
        await done.wait()
        return perf_counter() - start


RABBITMQ: Final = Case(
    "rabbitmq",
    "Messages that wait in a quorum queue of a real RabbitMQ, empty handler, prefetch 50.",
    _run,
)
