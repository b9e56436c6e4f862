"""Where recorders of messages are tested: any broker, a log that can fail, and a client beside them.

Waits for named conditions only, and gives up after `PATIENCE_SECONDS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import anyio
import msgspec
from consumer.broker_steps import PATIENCE_SECONDS
from streams.faulty_log import FaultyLog

from relayna.consumer import Broker, Delivery, Message, RelaynaClient, Settlement, Subscription
from relayna.consumer.service import Service
from relayna.events import RecordedEvent
from relayna.ids import TaskId
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.registry import execution_projection_for
from relayna.streams import Recorder, TaskAddress, replay
from relayna.streams.recording.backoff import Backoff
from relayna.topologies import Declarations, SharedTasksSharedStatusTopology

__all__ = ["RecordWorld", "WatchedBroker", "running", "world_topology"]


class WatchedBroker:
    """A broker whose settlements can be waited for; all else is the broker's behind it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.settled: Counter[tuple[str, Settlement]] = Counter()
        """By queue and how."""
        self._change = anyio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when it holds; it is looked at after each settlement and each count."""
        with anyio.fail_after(3 * PATIENCE_SECONDS):
            while not condition():
                await self._change.wait()

    def tell(self) -> None:
        """Something changed."""
        self._change.set()
        self._change = anyio.Event()

    async def declare(self, declarations: Declarations) -> None:
        await self.broker.declare(declarations)

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        await self.broker.publish(
            message, exchange=exchange, routing_key=routing_key, confirm_timeout=confirm_timeout
        )

    def consume(self, queue_name: str, *, prefetch: int) -> AbstractAsyncContextManager[Subscription]:
        return self.broker.consume(queue_name, prefetch=prefetch)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        with anyio.CancelScope(shield=True):  # or the count would miss some
            await self.broker.settle(delivery, settlement)
        self.settled[delivery.queue_name, settlement] += 1
        self.tell()

    def is_open(self, delivery: Delivery) -> bool:
        return self.broker.is_open(delivery)

    async def __aenter__(self) -> Self:
        await self.broker.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.broker.__aexit__(kind, error, traceback)


class RecordWorld:
    """Enter it, run services on it, look at what they left."""

    def __init__(self, broker: Broker, topology: SharedTasksSharedStatusTopology) -> None:
        self.broker = WatchedBroker(broker)
        self.topology = topology
        self.log = FaultyLog()
        self.counters: Counter[str] = Counter()
        self.client = RelaynaClient(
            topology=topology, broker=self.broker, observation_sink=self.recorder(), counters=self
        )
        self._opened = AsyncExitStack()

    def recorder(self) -> Recorder:
        """One more process's sink, into the same log."""
        backoff = Backoff(first_seconds=0.001, longest_seconds=0.01)
        return Recorder(self.log, backoff=backoff, close_deadline=0.1)

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Count, as `Counters` do."""
        self.counters[name] += by
        self.broker.tell()

    async def __aenter__(self) -> Self:
        self._opened.enter_context(anyio.fail_after(6 * PATIENCE_SECONDS))
        await self._opened.enter_async_context(self.client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)

    async def send_status(self, status: Mapping[str, Any] | bytes, **properties: Any) -> None:
        """Publish a status as a program would that knows nothing of relayna."""
        body = status if isinstance(status, bytes) else msgspec.json.encode(status)
        await self.broker.publish(
            Message(body=body, **properties), exchange=self.topology.status_exchange, routing_key="any.key"
        )

    async def until_settled(self, queue: str, count: int, how: Settlement = Settlement.ACK) -> None:
        """Return when so many deliveries of the queue were settled so."""
        await self.broker.until(lambda: self.broker.settled[queue, how] >= count)

    async def left_in(self, queue: str) -> list[Message]:
        """Take what waits in the queue, nobody else taking from it."""
        found: list[Message] = []
        await self.broker.publish(Message(body=b"the end"), exchange="", routing_key=queue)
        async with self.broker.consume(queue, prefetch=1) as subscription:
            async for delivery in subscription:
                await self.broker.broker.settle(delivery, Settlement.ACK)
                if delivery.message.body == b"the end":
                    break
                found.append(delivery.message)
        return found

    async def events(self, task_id: str) -> list[RecordedEvent]:
        """What the task's stream holds, repeats and all."""
        [read] = await replay(self.log, [TaskAddress(TaskId(task_id))])
        return list(read.events)

    async def graph(self, task_id: str) -> ExecutionGraph:
        """The task's graph."""
        assert self.client.observation_sink is not None
        await self.client.observation_sink.durable()
        projection = execution_projection_for([self.client.topology_kind])
        state = projection.initial(TaskId(task_id))
        for event in await self.events(task_id):
            projection.apply(state, event)
        return projection.finish(state, GraphQuery())


@asynccontextmanager
async def running(*services: Service) -> AsyncIterator[None]:
    """Run these meanwhile; they drain at the end."""
    async with anyio.create_task_group() as tasks:
        for service in services:
            await tasks.start(service.run)
        yield
        for service in services:
            service.stop()


def world_topology(name: str, **changes: Any) -> SharedTasksSharedStatusTopology:
    """Its exchanges and queues have names that begin so."""
    fields = {
        "rabbitmq_url": "amqp://broker.example",
        "tasks_exchange": f"{name}.tasks",
        "tasks_queue": f"{name}.work",
        "tasks_routing_key": "task",
        "status_exchange": f"{name}.statuses",
        "status_queue": f"{name}.statuses.all",
    }
    return SharedTasksSharedStatusTopology(**{**fields, **changes})
