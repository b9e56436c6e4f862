"""A trial of workers: the user's own consumers on a broker, everything recorded, and ways to wait for it.

Owns what a test of workers asks for, the same on memory and on RabbitMQ. Meant for tests: retries come back
sooner than they would at work.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

import anyio

from relayna.consumer import Message, RelaynaClient
from relayna.consumer.option_checks import check_services
from relayna.consumer.service import Service
from relayna.errors import ExecutionNotFound, InvalidQuery
from relayna.events import DeadLetterRecorded
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService
from relayna.projections.graph import ExecutionGraph
from relayna.streams import MemoryLog, Recorder
from relayna.testing.queue_contents import take_all
from relayna.testing.trial_broker import TrialBroker
from relayna.testing.trial_crew import TrialCrew
from relayna.testing.trial_report import NotInTime, statuses_of, unfinished, unhandled, unheard
from relayna.testing.trial_venue import trial_venue
from relayna.testing.watched_sink import WatchedSink
from relayna.topologies import Topology, declarations

__all__ = ["WorkerTrial"]

_PATIENCE_SECONDS: Final = 10.0


class WorkerTrial:
    """Tries workers of a topology, in memory or, with an `amqp_url`, on a RabbitMQ.

        async with WorkerTrial(topology) as trial:
            async with trial.working(TaskConsumer(rabbitmq=trial.client, handler=resize)):
                await trial.client.publish_task("photo-7", {"width": 640})
                graph = await trial.finished("photo-7")

    On RabbitMQ every exchange and queue has a name of this trial's own and is deleted at its end, also when the
    test fails. What is recorded stays in memory on both.

    Retries of consumers that work here wait a `retry_speed`th of what their policy says, on both brokers: 30 s
    become 30 ms, and are recorded as that. With `retry_speed=1` they wait as they would at work.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        amqp_url: str | None = None,
        retry_speed: int = 1_000,
        **client_options: Any,  # Any: the other options of RelaynaClient, checked there
    ) -> None:
        """Connects to nothing yet. Raises `InvalidSetting` and `InvalidTopology`."""
        self._venue = trial_venue(amqp_url)
        self._names: dict[str, str] = {}
        self._log = MemoryLog()
        self._sink = WatchedSink(Recorder(self._log))
        self._crew = TrialCrew(retry_speed=retry_speed)
        self._client_options = client_options
        self._opened = AsyncExitStack()
        self.broker = self._venue.broker
        """The broker itself: a `MemoryBroker`, which can be told to fail, or a `RabbitMQBroker`."""
        self._trial_broker = TrialBroker(self.broker)
        self.client = self.client_of(topology)
        """Publishes, and is what consumers take as `rabbitmq`."""
        self.topology = self.client.topology
        """The topology as it is called here."""

    def client_of(self, topology: Topology) -> RelaynaClient:
        """A client of another topology on the same broker, its names changed alike; enter it before use."""
        here = self._venue.placed(topology)
        for there, called in zip(declarations(topology).queues, declarations(here).queues, strict=True):
            self._names[there.name] = called.name
        return RelaynaClient(
            topology=here, broker=self._trial_broker, observation_sink=self._sink, **self._client_options
        )

    async def __aenter__(self) -> Self:
        """Connect and declare. Raises `BrokerError`: `BrokerUnreachable` when nobody answers within 10 s."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._trial_broker)
            stack.push_async_callback(self._clear)
            await stack.enter_async_context(self.client)
            self._opened = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Delete what was declared and disconnect. What was recorded can still be asked for."""
        await self._opened.__aexit__(kind, error, traceback)

    def working(self, *consumers: Service) -> AbstractAsyncContextManager[None]:
        """Run these meanwhile: consumers, a `StatusHub`, a `DeadLetterRecorder`.

        They drain at the end. When the block fails they are cut off instead, and the error comes out as it was
        raised. Raises `BrokerError` and `StoreError` when one cannot start, `InvalidSetting` at once for what
        cannot run.
        """
        check_services(consumers)
        return self._crew.working(*consumers)

    async def finished(self, task_id: str, *, patience_seconds: float = _PATIENCE_SECONDS) -> ExecutionGraph:
        """Return its graph when the task is over: a terminal status, and no attempt or retry is open.

        Those of its children count too. Raises `NotInTime`.
        """
        __tracebackhide__ = True  # pytest then shows the test's own line and the error
        terminal = self.client.terminal_statuses
        return await self._when(
            task_id, lambda graph: unfinished(graph, terminal), "did not finish", patience_seconds
        )

    async def handled(self, task_id: str, *, patience_seconds: float = _PATIENCE_SECONDS) -> ExecutionGraph:
        """Return its graph when a consumer took a message of the task, and no attempt or retry is open.

        For one stage of a workflow, and for workers that publish no status at the end. Raises `NotInTime`.
        """
        __tracebackhide__ = True
        return await self._when(task_id, unhandled, "was not handled to an end", patience_seconds)

    async def until(
        self,
        task_id: str,
        what: str | Callable[[ExecutionGraph], bool],
        *,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> ExecutionGraph:
        """Return its graph when the task has had this status, or when this holds of its graph. Raises `NotInTime`."""
        __tracebackhide__ = True
        if isinstance(what, str):
            status = what
            return await self._when(
                task_id,
                lambda graph: unheard(graph, status),
                f"did not have the status {status!r}",
                patience_seconds,
            )
        name = getattr(what, "__name__", repr(what))
        condition = what
        return await self._when(
            task_id,
            lambda graph: [] if condition(graph) else [f"{name} does not hold"],
            "did not come to what was asked",
            patience_seconds,
        )

    async def graph(self, task_id: str) -> ExecutionGraph:
        """What is recorded of the task by now. Raises `ExecutionNotFound`."""
        await self._sink.flushed()
        return await ExecutionGraphService(log=self._log, topology=self.topology).get_graph(task_id)

    async def statuses(self, task_id: str) -> list[str]:
        """The statuses of the task by now, in order; none for a task that nothing is recorded of."""
        graph = await self._graph_so_far(task_id)
        return [] if graph is None else statuses_of(graph)

    async def dead_letters(self, task_id: str) -> list[DeadLetterRecorded]:
        """The task's dead letters as they are recorded, with reason, headers and body, oldest first.

        Those that the broker makes by itself are recorded while a `DeadLetterRecorder` works.
        """
        await self._sink.flushed()
        letters: dict[str, DeadLetterRecorded] = {}
        for event in await self._sink.read(TaskId(task_id)):
            if isinstance(event.body, DeadLetterRecorded):
                letters.setdefault(event.body.dead_letter_id, event.body)
        return list(letters.values())

    async def messages(self, queue_name: str) -> list[Message]:
        """Take out what waits in a queue, named as in the topology or as it is called here, oldest first.

        Raises `InvalidQuery` for a queue that is not there, and for one that a consumer takes from.
        """
        declared = {queue.name for queue in self._trial_broker.declared.queues}
        here = self._names.get(queue_name, queue_name)
        if here not in declared:
            known = ", ".join(sorted(declared))
            raise InvalidQuery("queue_name", f"{queue_name!r} is none of the queues here: {known}")
        if self._trial_broker.is_consumed(here):
            problem = f"a consumer takes from {queue_name!r}; ask when it works no more"
            raise InvalidQuery("queue_name", problem)
        return await take_all(self._trial_broker, here)

    async def _when(
        self,
        task_id: str,
        missing: Callable[[ExecutionGraph], list[str]],
        awaited: str,
        patience_seconds: float,
    ) -> ExecutionGraph:
        """Return the graph when nothing is missing of it; look again whenever something was recorded."""
        __tracebackhide__ = True
        with anyio.move_on_after(patience_seconds):
            while True:
                news = self._sink.news  # from before the look: nothing that comes meanwhile is missed
                graph = await self._graph_so_far(task_id)
                if graph is not None and not missing(graph):
                    return graph
                await news.wait()
        graph = await self._graph_so_far(task_id)
        raise NotInTime(
            task_id,
            awaited,
            patience_seconds=patience_seconds,
            graph=graph,
            missing=[] if graph is None else missing(graph),
            working=self._crew.names(),
            known_tasks=self._sink.task_ids,
        )

    async def _graph_so_far(self, task_id: str) -> ExecutionGraph | None:
        try:
            return await self.graph(task_id)
        except ExecutionNotFound:
            return None

    async def _clear(self) -> None:
        await self._venue.clear(self._trial_broker.declared)
