"""A workbench for consumers on a real RabbitMQ: queues of the test's own, a log in memory, statuses to wait for.

`worker_process.py` is its counterpart in processes of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio
from consumer.broker_steps import PATIENCE_SECONDS
from rabbitmq_server import RabbitMQ

from relayna.consumer import Message, RelaynaClient, Settlement, StatusEnvelope, Subscription
from relayna.consumer.consumer import Consumer
from relayna.consumer.messages.envelopes import read_body
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.observability import ExecutionGraphService
from relayna.projections.graph import ExecutionGraph
from relayna.streams import Log, MemoryLog, Recorder
from relayna.topologies import Declarations, SharedTasksSharedStatusTopology, Topology, declarations

__all__ = ["RabbitMQBench", "shared_topology"]


def shared_topology(url: str, name: str, **options: Any) -> SharedTasksSharedStatusTopology:
    """Shared tasks, all names beginning with this one."""
    return SharedTasksSharedStatusTopology(
        rabbitmq_url=url,
        tasks_exchange=f"{name}.tasks",
        tasks_queue=f"{name}.work",
        tasks_routing_key="task",
        status_exchange=f"{name}.statuses",
        status_queue=f"{name}.statuses.all",
        **options,
    )


class RabbitMQBench:
    """Enter it, run consumers on it, wait for statuses, look at what was left; its queues go at the end."""

    def __init__(
        self,
        rabbitmq: RabbitMQ,
        topology: Topology | None = None,
        *,
        log: Log | None = None,
        broker: RabbitMQBroker | None = None,
        patience_seconds: float = 6 * PATIENCE_SECONDS,
    ) -> None:
        self.topology = topology or shared_topology(rabbitmq.url, rabbitmq.name())
        self.broker = broker or RabbitMQBroker(self.topology.rabbitmq_url)
        self.log = MemoryLog() if log is None else log
        self.recorder = Recorder(self.log)
        self.client = RelaynaClient(
            topology=self.topology, broker=self.broker, observation_sink=self.recorder
        )
        self.to_delete = declarations(self.topology)
        self._patience_seconds = patience_seconds
        self._seen: set[tuple[str, str]] = set()
        self._opened = AsyncExitStack()
        self._statuses: Subscription | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(anyio.fail_after(self._patience_seconds))
            await stack.enter_async_context(self.log)
            await stack.enter_async_context(self.recorder)
            await stack.enter_async_context(self.client)
            stack.push_async_callback(self._clear)
            queue = self.topology.status_queue
            self._statuses = await stack.enter_async_context(self.broker.consume(queue, prefetch=10))
            self._opened = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def working(self, *consumers: Consumer[Any]) -> AsyncIterator[None]:
        """Run these consumers meanwhile; they drain at the end."""
        async with anyio.create_task_group() as running:
            for consumer in consumers:
                self.to_delete += consumer.declarations()
                await running.start(consumer.run)
            yield
            for consumer in consumers:
                consumer.stop()

    async def until(self, *awaited: tuple[str, str]) -> None:
        """Return when each of these (task id, status) has come by the status queue."""
        assert self._statuses is not None
        deliveries = aiter(self._statuses)
        while not self._seen.issuperset(awaited):
            delivery = await anext(deliveries)
            await self.broker.settle(delivery, Settlement.ACK)
            status = read_body(delivery.message.body, StatusEnvelope)
            self._seen.add((status.task_id, status.status))

    async def taken(self, queue_name: str, count: int) -> list[Message]:
        """The next messages of a queue, which are there or on their way."""
        messages = []
        async with self.broker.consume(queue_name, prefetch=count) as subscription:
            deliveries = aiter(subscription)
            for _ in range(count):
                delivery = await anext(deliveries)
                await self.broker.settle(delivery, Settlement.ACK)
                messages.append(delivery.message)
        return messages

    async def graph(self, task_id: str) -> ExecutionGraph:
        """What happened to the task."""
        await self.recorder.durable()
        return await ExecutionGraphService(log=self.log).get_graph(task_id)

    async def _clear(self) -> None:
        await self.broker.delete(
            Declarations(queues=self.to_delete.queues, exchanges=self.to_delete.exchanges)
        )
