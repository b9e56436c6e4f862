"""Where the demonstration's scenarios happen: a broker each, one log for all, worker machines with own clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from msgspec import Struct

from relayna.clock import Clock, SkewedClock, SystemClock
from relayna.consumer import MemoryBroker, RelaynaClient
from relayna.consumer.consumer import Consumer
from relayna.ids import Tenant
from relayna.streams import Log, Recorder
from relayna.topologies import Topology

__all__ = ["DEMO_AMQP_URL", "DemoWorld", "Scenario"]

DEMO_AMQP_URL: Final = "amqp://localhost"
"""A topology names its broker; the demonstration's is in memory, so nothing connects to this."""


class DemoWorld:
    """One scenario's broker, and machines whose workers record into the common log."""

    def __init__(self, log: Log, tenant: Tenant) -> None:
        self.broker = MemoryBroker()
        self._log = log
        self._tenant = tenant

    def machine(self, topology: Topology, *, clock_off_by: float = 0.0) -> RelaynaClient:
        """A worker process on a machine whose clock is wrong by so many seconds."""
        clock: Clock = SkewedClock(SystemClock(), seconds=clock_off_by) if clock_off_by else SystemClock()
        sink = Recorder(self._log, tenant=self._tenant, clock=clock)
        return RelaynaClient(topology=topology, broker=self.broker, observation_sink=sink, clock=clock)

    @asynccontextmanager
    async def working(self, *consumers: Consumer[Any]) -> AsyncIterator[None]:  # Any: whichever envelope
        """Run these consumers meanwhile; they drain at the end."""
        async with self.broker, anyio.create_task_group() as running:
            for consumer in consumers:
                await running.start(consumer.run)
            yield
            for consumer in consumers:
                consumer.stop()


class Scenario(Struct, frozen=True, kw_only=True):
    """Something to watch: how it is played, and which of its tasks is the one to look at."""

    name: str
    task_id: str
    """The task whose graph is shown."""
    story: str
    other_tasks: tuple[tuple[str, str], ...] = ()
    """More tasks to look at, and what happened to them."""
    play: Callable[[DemoWorld], Coroutine[object, object, None]]
