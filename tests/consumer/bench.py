"""A workbench for consumers: a broker, a log and a recorder in memory, on one clock that moves when told.

Waits for named conditions only, and gives up after `PATIENCE_SECONDS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

import anyio
from consumer.broker_steps import PATIENCE_SECONDS

from relayna.clock import FrozenClock
from relayna.consumer import MemoryBroker, Message, RelaynaClient, RetryPolicy, Settlement
from relayna.consumer.consumer import Consumer
from relayna.consumer.service import Service
from relayna.events import RecordedEvent
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.mint import CountingMint
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.registry import execution_projection_for
from relayna.streams import MemoryLog, Recorder, TaskAddress, replay
from relayna.streams.sink import ObservationSink
from relayna.topologies import SharedTasksSharedStatusTopology, Topology

__all__ = ["QUICK", "SHARED", "Bench", "CountedSignals", "attempts", "edges", "nodes"]

SHARED: Final = SharedTasksSharedStatusTopology(
    rabbitmq_url="amqp://broker.example",
    tasks_exchange="tasks",
    tasks_queue="work",
    tasks_routing_key="task",
    status_exchange="statuses",
    status_queue="statuses.all",
)
QUICK: Final = RetryPolicy(max_retries=2, delay_ms=1_000, jitter=0)


class TickingClock:
    """Follows another clock, and never tells the same time twice: what workers say later is later.

    Nobody waits for it: pauses are only noted.
    """

    def __init__(self, clock: FrozenClock) -> None:
        self.pauses: list[float] = []
        self._clock = clock
        self._last = clock.now()

    def now(self) -> Instant:
        self._last = Instant(max(self._last + 1, self._clock.now()))
        return self._last

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await anyio.lowlevel.checkpoint()


WORK: Final = ("relayna_attempts_total", "relayna_dead_letters_total", "relayna_deliveries_repeated_total")


class CountedSignals(Counter[str]):
    """What went wrong, by name, for a test to look at; ordinary work is counted apart, in `work`."""

    def __init__(self) -> None:
        super().__init__()
        self.work: Counter[tuple[str, ...]] = Counter()

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        if name in WORK:
            self.work[(name, *labels.values())] += by
        else:
            self[name] += by


class Bench:
    """Enter it, run consumers on it, look at what they left."""

    def __init__(
        self,
        topology: Topology = SHARED,
        *,
        broker: Callable[[FrozenClock], MemoryBroker] = lambda clock: MemoryBroker(clock=clock),
        sink: Callable[[Recorder], ObservationSink | None] = lambda recorder: recorder,
    ) -> None:
        self.clock = FrozenClock()
        self.workers_clock = TickingClock(self.clock)
        self.broker = broker(self.clock)
        self.log = MemoryLog(clock=self.clock)
        self.counters = CountedSignals()
        self.mint = CountingMint()
        self.recorder = Recorder(self.log, clock=self.clock, mint=CountingMint())
        self.sink = sink(self.recorder)
        self.client = self.client_of(topology)
        self._opened = AsyncExitStack()

    def client_of(self, topology: Topology) -> RelaynaClient:
        """One more client of the same broker and log; enter it before use."""
        return RelaynaClient(
            topology=topology,
            broker=self.broker,
            observation_sink=self.sink,
            clock=self.workers_clock,
            mint=self.mint,
            counters=self.counters,
        )

    async def __aenter__(self) -> Self:
        self._opened.enter_context(anyio.fail_after(PATIENCE_SECONDS))
        await self._opened.enter_async_context(self.recorder)
        await self._opened.enter_async_context(self.client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def working(self, *consumers: Service) -> AsyncIterator[None]:
        """Run these consumers meanwhile; they drain at the end."""
        async with anyio.create_task_group() as running:
            for consumer in consumers:
                await running.start(consumer.run)
            yield
            for consumer in consumers:
                consumer.stop()

    async def work_off(
        self, *consumers: Consumer[Any], publish: Callable[[], Awaitable[object]], retries: int = 0
    ) -> None:
        """Publish, and see everything to its end; so often the clock moves on by what a retry waits at most."""
        async with self.working(*consumers):
            await publish()
            await self.settled()
            for _ in range(retries):
                self.clock.advance(max(consumer.retry_policy.ladder()[-1] for consumer in consumers) / 1000)
                await self.settled()

    async def settled(self, resting: Collection[str] = ()) -> None:
        """Return when nothing is left but statuses, dead letters, and retries that wait."""
        names = self.queue_names()
        letters = [f"{name}.dead_letters{which}" for name in names for which in ("", ".record")]
        resting = [*resting, *letters, "statuses.all"]
        await self.broker.idle(resting=resting, ignore_delayed=True)

    def queue_names(self) -> list[str]:
        """Every queue that was declared."""
        return [queue.name for queue in self.broker._host.queues()]

    async def messages(self, queue_name: str) -> list[Message]:
        """Take every message out of a queue."""
        count = self.broker.depth(queue_name)
        if not count:
            return []
        async with self.broker.consume(queue_name, prefetch=count) as subscription:
            taken = [await anext(aiter(subscription)) for _ in range(count)]
            for delivery in taken:
                await self.broker.settle(delivery, Settlement.ACK)
        return [delivery.message for delivery in taken]

    async def events(self, task_id: str) -> list[RecordedEvent]:
        """What the task's stream holds."""
        await self.recorder.durable()
        return list(await self.recorder.read(TaskId(task_id)))

    async def told(self, task_id: str) -> list[str]:
        """The names of the task's events, with what a status says, in the order in which they were recorded."""
        return [_name(event) for event in await self.events(task_id)]

    async def graph(self, task_id: str) -> ExecutionGraph:
        """The task's graph, its children included."""
        await self.recorder.durable()
        pending, seen = [TaskId(task_id)], set[TaskId]()
        projection = execution_projection_for([self.client.topology_kind])
        state = projection.initial(TaskId(task_id))
        while pending:
            task = pending.pop()
            seen.add(task)
            [read] = await replay(self.log, [TaskAddress(task)])
            for event in read.events:
                projection.apply(state, event)
                child = getattr(event.body, "child_task_id", None)
                if child is not None and child not in seen:
                    pending.append(child)
            for fact in read.facts:
                projection.apply(state, fact)
        return projection.finish(state, GraphQuery())


def attempts(graph: ExecutionGraph) -> list[tuple[str, str]]:
    """Outcome and state of each attempt at the task itself, in order."""
    return [
        (node.annotations["outcome"], node.annotations["state"])
        for node in graph.nodes
        if node.kind in ("task_attempt", "stage_attempt") and node.task_id == graph.task_id
    ]


def nodes(graph: ExecutionGraph, kind: str) -> list[str]:
    """The labels of the nodes of one kind."""
    return [node.label for node in graph.nodes if node.kind == kind]


def edges(graph: ExecutionGraph) -> set[tuple[str, str, str]]:
    """Every edge as (source, kind, target)."""
    return {(edge.source, edge.kind, edge.target) for edge in graph.edges}


def _name(event: RecordedEvent) -> str:
    name = type(event.body).__name__
    status = getattr(event.body, "status", None)
    return f"{name} {status}" if status else name
