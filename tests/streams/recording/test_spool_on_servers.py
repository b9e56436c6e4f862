"""The spool with real stores and real processes: what a worker left on disk comes into the log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from cli.command_line import environment, relayna
from reliability.store_server import StoreServer
from servers import StoreUnderTest
from streams.recording_steps import sampled, segments_in

from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService, RedisObservationStore, make_redis_observation_sink
from relayna.streams.redis import RedisLog
from relayna.streams.sink import Durability

pytestmark = pytest.mark.anyio

DEAD = "redis://127.0.0.1:1/0"
TASKS = 20


@contextmanager
def worker(url: str, directory: Path, then: str) -> Iterator[subprocess.Popen[str]]:
    """`spool_worker.py`, killed at the end if it is still there."""
    command = [sys.executable, str(Path(__file__).with_name("spool_worker.py")), url, str(directory)]
    process = subprocess.Popen(
        [*command, str(TASKS), then], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def assert_all_is_told(store: StoreUnderTest) -> None:
    """Each task's graph is whole, and says that it was done once."""
    async with RedisLog(store.url, prefix=store.prefix) as log:
        graphs = ExecutionGraphService(log=log)
        for number in range(TASKS):
            graph = await graphs.get_graph(f"t{number}")
            assert graph.summary.graph_completeness == "full"
            attempts = [node for node in graph.nodes if node.kind == "task_attempt"]
            assert [node.annotations["outcome"] for node in attempts] == ["acked"]


@pytest.mark.parametrize("then", ["end", "stay"])
async def test_a_worker_without_a_store_does_its_tasks_and_drain_brings_the_facts(
    then: str, any_store: StoreUnderTest, tmp_path: Path
) -> None:
    with worker(DEAD, tmp_path, then) as process:
        assert await anyio.to_thread.run_sync(said, process) == f"{TASKS} spooled"
        if then == "stay":
            process.kill()
        await anyio.to_thread.run_sync(process.wait)
    place = ("--spool-directory", str(tmp_path), "--redis-url", any_store.url, "--prefix", any_store.prefix)
    looked = await anyio.to_thread.run_sync(lambda: relayna("drain", "--dry-run", *place))
    assert looked.returncode == 1
    run = await anyio.to_thread.run_sync(lambda: relayna("drain", *place))
    assert run.returncode == 0, run.stderr
    assert b" 0 were refused" in run.stderr
    assert segments_in(tmp_path) == []
    await assert_all_is_told(any_store)


async def test_what_a_killed_worker_left_is_drained_by_the_next(
    any_store: StoreUnderTest, tmp_path: Path
) -> None:
    with worker(DEAD, tmp_path, "stay") as process:
        assert await anyio.to_thread.run_sync(said, process) == f"{TASKS} spooled"
        process.kill()
        await anyio.to_thread.run_sync(process.wait)
    store = RedisObservationStore(any_store.url, prefix=any_store.prefix)
    async with make_redis_observation_sink(store, spool_directory=tmp_path):
        with anyio.fail_after(60):
            while segments_in(tmp_path):
                await anyio.lowlevel.checkpoint()
    await assert_all_is_told(any_store)


async def test_a_frozen_store_keeps_nobody_waiting_beyond_the_budget(tmp_path: Path) -> None:
    async with StoreServer(tmp_path / "store") as server:
        store = RedisObservationStore(server.url)
        sink = make_redis_observation_sink(store, spool_directory=tmp_path / "spool")
        async with sink:
            sink.record(sampled(0))
            assert await sink.durable(budget_seconds=60) is Durability.STORED
            frozen = server.freeze(3)
            for seq in range(1, 6):
                sink.record(sampled(seq))
                assert await sink.durable(budget_seconds=1) is Durability.SPOOLED
            await anyio.to_thread.run_sync(frozen.join)
            with anyio.fail_after(60):
                while await sink.durable() is not Durability.STORED:
                    await anyio.lowlevel.checkpoint()
            read = await sink.read(TaskId("order"))
    assert [event.envelope.seq for event in read] == list(range(6))
