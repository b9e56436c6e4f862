"""What is done in a store of many tasks while it is measured: once each, through the product's own services.

Owns which tasks are asked for: others each time, spread over all that the store holds. Measures nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import msgspec
from msgspec import Struct

from benchmarks.filling import filled_task
from benchmarks.tasks import EVENTS_A_TASK, TOPOLOGY_KIND, MadeTask, made_tasks, record_tasks, steps_of
from relayna.events import encode_event, encode_frame
from relayna.ids import StreamId
from relayna.instants import Instant
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.lineage_gathering import Recorded
from relayna.observability.lineage_service import LineageService
from relayna.observability.read_models import (
    ExecutionLists,
    ExecutionsWanted,
    FailuresWanted,
    Indexer,
    ReadModelProgress,
    StatisticsService,
    read_models_beside,
    run_records_beside,
)
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.projections.graph import encode_graph
from relayna.streams import DEFAULT_TENANT, Append, TaskAddress
from relayna.streams.redis import RedisLog

__all__ = ["WORK", "StoreAtWork", "Work"]

_NEW_TASKS: Final = 200
_STRIDE: Final = 617
"""Prime, so that all numbers have their turn."""


class StoreAtWork:
    """A filled store, and who works with it; open while the log is."""

    def __init__(self, log: RedisLog, tasks: int, *, filled_at: Instant) -> None:
        self._log = log
        self._tasks = tasks
        self._filled_at = filled_at
        self._turns = itertools.count(1)
        self._new = itertools.count(5_000_000, _NEW_TASKS)
        models = read_models_beside(log)
        progress = ReadModelProgress(log=log, read_models=models)
        records = run_records_beside(log, models)
        if records is None:
            raise LookupError("a log on a server has run records beside it")
        self._indexer = Indexer(log=log, read_models=models)
        self._graphs = ExecutionGraphService(log=log)
        self._lists = ExecutionLists(read_models=models, progress=progress)
        self._statistics = StatisticsService(read_models=models, progress=progress)
        recorded = Recorded(KnownRuns(records, tenant=DEFAULT_TENANT), progress)
        self._lineage = LineageService(log=log, recorded=recorded)

    async def record(self) -> None:
        """So many new tasks, from `record()` until they are stored."""
        tasks = made_tasks(_NEW_TASKS, first=next(self._new), born=self._filled_at, readable=True)
        await record_tasks(self._log, tasks)

    async def fold(self) -> None:
        """All that was recorded since the last time, into rows, lists and run records."""
        await self._indexer.catch_up()

    async def graph(self) -> None:
        """Of one task, to JSON."""
        encode_graph(await self._graphs.get_graph(self._some_task().task_id))

    async def newest_tasks(self) -> None:
        """A page of all."""
        await self._lists.executions(ExecutionsWanted())

    async def tasks_by_status(self) -> None:
        """A page of those that nearly all are among."""
        await self._lists.executions(ExecutionsWanted(status="completed", sort="updated_at"))

    async def tasks_by_correlation(self) -> None:
        """The one that has this id."""
        await self._lists.executions(ExecutionsWanted(correlation_id=self._some_task().correlation_id))

    async def failures(self) -> None:
        """A page of the newest."""
        await self._lists.failures(FailuresWanted())

    async def statistics(self) -> None:
        """Of all days."""
        await self._statistics.statistics()

    async def session(self) -> None:
        """The graph of ten runs, to JSON."""
        session_id = self._some_task().session_id
        msgspec.json.encode(await self._lineage.session(session_id or ""))

    async def watch(self) -> None:
        """From an append to a task that is watched until the watcher knows."""
        task = self._some_task()
        address = TaskAddress(task.task_id)
        [state] = await self._log.states([address])
        if state.last_id is None:
            raise LookupError(f"there is no task {task.task_id!r}")
        frame = encode_frame(task.task_id, TOPOLOGY_KIND, 0, [encode_event(steps_of(task)[-1][-1])])
        async with anyio.create_task_group() as together:
            together.start_soon(self._changed, address, state.last_id)
            await self._log.append([Append(address, frame)])

    async def _changed(self, address: TaskAddress, after: StreamId) -> None:
        if await self._log.changed({address: after}, wait_seconds=10) != {address}:
            raise RuntimeError("A watcher was not told of an append within 10 s.")

    def _some_task(self) -> MadeTask:
        """Another one each time."""
        return filled_task(next(self._turns) * _STRIDE % self._tasks, now=self._filled_at)


class Work(Struct, frozen=True):
    """What is measured: its name, how it is done once, how often at a time, and what its cost is told by."""

    name: str
    once: Callable[[StoreAtWork], Awaitable[None]]
    times: int
    unit: str = "ms"
    parts: float = 1e-3
    """How many of the unit's seconds, events or tasks there are in one time."""


WORK: Final = (
    Work("record", StoreAtWork.record, 1, "µs/event", _NEW_TASKS * EVENTS_A_TASK * 1e-6),
    Work("fold into lists and runs", StoreAtWork.fold, 1, "µs/task", _NEW_TASKS * 1e-6),
    Work("graph of a task", StoreAtWork.graph, 20),
    Work("page of newest tasks", StoreAtWork.newest_tasks, 5),
    Work("page by status", StoreAtWork.tasks_by_status, 5),
    Work("task by correlation id", StoreAtWork.tasks_by_correlation, 5),
    Work("page of failures", StoreAtWork.failures, 5),
    Work("statistics", StoreAtWork.statistics, 2),
    Work("graph of a session", StoreAtWork.session, 5),
    Work("append until a watcher knows", StoreAtWork.watch, 20),
)
"""In the order in which it is done; what is folded is what was just recorded."""
