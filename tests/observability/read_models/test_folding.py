"""Folding: long histories in a thread, broken streams by themselves, and a store that is away at once."""

from __future__ import annotations

import threading

import pytest
from observability.read_models.indexed_world import memory_world, store_events
from streams.faulty_log import FaultyLog

from relayna.clock import FrozenClock
from relayna.errors import StoreError
from relayna.ids import TaskId
from relayna.observability.read_models import Indexer
from relayna.observability.read_models import folding as folding_module
from relayna.observability.read_models.folding import TaskFolder
from relayna.observability.read_models.rows import summary_in
from relayna.observability.read_models.sources import MemorySource
from relayna.projections.execution import GraphQuery
from relayna.projections.execution_state import ExecutionState
from relayna.projections.task_run import TaskRun
from relayna.projections.task_summary import TaskAccount
from relayna.streams import TaskAddress
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.testing import history
from relayna.topologies import SharedTasksSharedStatusTopology

pytestmark = pytest.mark.anyio


def task(task_id: str) -> TaskAddress:
    return TaskAddress(TaskId(task_id))


async def test_long_histories_are_folded_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    world = memory_world()
    attempt = history("long").published().attempt()
    for number in range(210):
        attempt = attempt.status(f"step {number}")
    await store_events(world.log, [*attempt.acked().events, *history("short").published().events])
    threads: dict[str, bool] = {}
    finish = folding_module.account_and_run

    def watched(state: ExecutionState, query: GraphQuery) -> tuple[TaskAccount, TaskRun]:
        account, run = finish(state, query)
        threads[account.summary.task_id] = threading.current_thread() is threading.main_thread()
        return account, run

    monkeypatch.setattr(folding_module, "account_and_run", watched)
    folded = await TaskFolder(world.log, clock=world.clock).fold([task("long"), task("short"), task("none")])
    assert threads == {"long": False, "short": True}
    assert [row.address.task_id for row in folded.rows] == ["long", "short"]
    assert folded.removed == [task("none")]


async def test_a_task_that_cannot_be_folded_harms_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = memory_world(shard_count=1)
    await store_events(world.log, [*history("bad").published().events, *history("good").published().events])

    def broken(self: TaskFolder, reading: object) -> object:
        if getattr(reading, "address", None) == task("bad"):
            raise ZeroDivisionError
        return account(self, reading)  # type: ignore[arg-type]

    account = TaskFolder._account
    monkeypatch.setattr(TaskFolder, "_account", broken)
    indexer = world.indexer()
    await indexer.catch_up()
    assert await world.summary("good") is not None
    assert await world.summary("bad") is None
    assert "Task 'bad' cannot be folded" in caplog.text
    assert indexer.state.lag_seconds == 0


async def test_where_no_stream_lies_the_others_are_read(caplog: pytest.LogCaptureFixture) -> None:
    world = memory_world(shard_count=1)
    faulty = FaultyLog(world.log)  # type: ignore[arg-type]
    await store_events(world.log, [*history("odd").published().events, *history("good").published().events])
    folder = TaskFolder(faulty, clock=world.clock)
    faulty.no_streams.add("odd")
    folded = await folder.fold([task("odd"), task("good")])
    assert [row.address.task_id for row in folded.rows] == ["good"]
    assert [*folded.removed, *folded.failed] == [task("odd")]


async def test_a_store_that_is_away_is_told_at_once() -> None:
    world = memory_world(shard_count=1)
    faulty = FaultyLog(world.log)  # type: ignore[arg-type]
    await store_events(world.log, history("T").published().events)
    faulty.unreadable = True
    with pytest.raises(StoreError):
        await TaskFolder(faulty, clock=world.clock).fold([task("T")])
    clock = FrozenClock()
    models = MemoryReadModels(faulty.log, clock=clock)
    source = MemorySource(faulty.log, reader=faulty)
    indexer = Indexer(log=faulty, read_models=models, source=source, clock=clock)
    with pytest.raises(StoreError):
        await indexer.catch_up()
    faulty.unreadable = False
    await indexer.catch_up()
    (row,) = await models.rows([task("T")])
    assert row is not None


async def test_a_configured_topology_wins() -> None:
    world = memory_world()
    await store_events(world.log, history("T").published().status("parked").events)
    topology = SharedTasksSharedStatusTopology(
        rabbitmq_url="amqp://localhost",
        tasks_exchange="tasks",
        tasks_queue="tasks",
        tasks_routing_key="task",
        status_exchange="statuses",
        status_queue="statuses",
        terminal_statuses=("parked",),
    )
    (row,) = (await TaskFolder(world.log, clock=world.clock, topology=topology).fold([task("T")])).rows
    summary = summary_in(row)
    assert summary is not None
    assert (summary.topology_kind, summary.status) == ("shared_tasks_shared_status", "parked")
