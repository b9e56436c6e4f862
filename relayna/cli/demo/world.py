"""Where the demonstration's scenarios happen: one venue and one log for all, worker machines with own clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from msgspec import Struct

from relayna.cli.demo.venue import TopologyT, Venue
from relayna.clock import Clock, SkewedClock, SystemClock
from relayna.consumer import RelaynaClient
from relayna.consumer.consumer import Consumer
from relayna.errors import ExecutionNotFound
from relayna.ids import Tenant
from relayna.observability.graph_service import ExecutionGraphService
from relayna.projections.graph import ExecutionGraph
from relayna.signals import Counters
from relayna.streams import Log, Recorder
from relayna.topologies import DEFAULT_TERMINAL_STATUSES, Topology

__all__ = ["DEMO_AMQP_URL", "DemoWorld", "Scenario"]

DEMO_AMQP_URL: Final = "amqp://localhost"
"""A topology names its broker; in memory nothing connects to this, and another venue puts its own in."""

_SECONDS_BETWEEN_LOOKS: Final = 0.02
_SECONDS_TO_CLEAR: Final = 10.0


class DemoWorld:
    """Machines whose workers record into the common log, and eyes on what they record."""

    def __init__(
        self,
        venue: Venue,
        log: Log,
        tenant: Tenant,
        service: ExecutionGraphService,
        counters: Counters | None = None,
    ) -> None:
        self._venue = venue
        self._log = log
        self._tenant = tenant
        self._service = service
        self._counters = counters

    def placed(self, topology: TopologyT) -> TopologyT:
        """The topology as it is called at this venue."""
        return self._venue.placed(topology)

    def machine(self, topology: Topology, *, clock_off_by: float = 0.0) -> RelaynaClient:
        """A worker process on a machine whose clock is wrong by so many seconds."""
        clock: Clock = SkewedClock(SystemClock(), seconds=clock_off_by) if clock_off_by else SystemClock()
        sink = Recorder(self._log, tenant=self._tenant, clock=clock)
        return RelaynaClient(
            topology=topology,
            broker=self._venue,
            observation_sink=sink,
            clock=clock,
            counters=self._counters,
        )

    @asynccontextmanager
    async def working(self, *consumers: Consumer[Any]) -> AsyncIterator[None]:  # Any: whichever envelope
        """Run these consumers meanwhile; they drain at the end, and their queues go."""
        try:
            async with anyio.create_task_group() as running:
                for consumer in consumers:
                    await running.start(consumer.run)
                yield
                for consumer in consumers:
                    consumer.stop()
        finally:
            with anyio.move_on_after(_SECONDS_TO_CLEAR, shield=True):
                for consumer in consumers:
                    await self._venue.clear(consumer.declarations())

    def lose_ack(self, task_id: str) -> None:
        """Lose the next ack of this task's messages together with its channel: it is handed out again."""
        self._venue.lose_ack(task_id)

    async def ended(self, *task_ids: str, anomaly: str | None = None) -> None:
        """Return when the log says that these tasks are over, and that this anomaly befell them.

        Asks no broker: what it says of its queues would be late, and different for each.
        """
        for task_id in task_ids:
            while not _is_over(await self._graph(task_id), anomaly):  # noqa: ASYNC110 - Redis rings no bell here
                await anyio.sleep(_SECONDS_BETWEEN_LOOKS)

    async def _graph(self, task_id: str) -> ExecutionGraph | None:
        try:
            return await self._service.get_graph(task_id)
        except ExecutionNotFound:
            return None


def _is_over(graph: ExecutionGraph | None, anomaly: str | None) -> bool:
    if graph is None or graph.summary.status not in DEFAULT_TERMINAL_STATUSES:
        return False
    attempts = [node.annotations for node in graph.nodes if node.kind in ("task_attempt", "stage_attempt")]
    if any(attempt["outcome"] == "running" for attempt in attempts):
        return False
    return anomaly is None or any(anomaly in attempt.get("anomalies", ()) for attempt in attempts)


class Scenario(Struct, frozen=True, kw_only=True):
    """Something to watch: how it is played, and which of its tasks is the one to look at."""

    name: str
    task_id: str
    """The task whose graph is shown."""
    story: str
    other_tasks: tuple[tuple[str, str], ...] = ()
    """More tasks to look at, and what happened to them."""
    play: Callable[[DemoWorld], Coroutine[object, object, None]]
