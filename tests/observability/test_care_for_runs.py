"""Runs of real workers, recorded by a real indexer: counted by agent, checked for births, archived and brought back."""

from __future__ import annotations

from pathlib import Path

import pytest
from consumer.bench import Bench
from msgspec.structs import replace
from observability.kept_histories import keep
from servers import StoreUnderTest

from relayna.clock import FrozenClock, SystemClock
from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import ExecutionNotFound
from relayna.events import TaskPublished
from relayna.instants import Instant
from relayna.observability.archive.lines import plain_lines
from relayna.observability.lineage_gathering import Recorded
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import Session
from relayna.observability.lineage_watch import LineageWatch
from relayna.observability.metrics import PrometheusMeasures
from relayna.observability.read_models import Indexer, ReadModelProgress, read_models_beside
from relayna.observability.reliability_service import ReliabilityService
from relayna.observability.run_archive import RunArchiveFolder, RunArchiver, RunImporter
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.observability.run_records.retention import RunRetention
from relayna.streams import Recorder
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.redis import RedisLog
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.run_records import StoredRun
from relayna.testing import history

pytestmark = pytest.mark.anyio

FAR = Instant(SystemClock().now() + 10**15)


async def work(task: TaskEnvelope, context: TaskContext) -> None:
    """Each asks for the next; the last one never works."""
    if task.task_id == "print":
        raise OSError("out of paper")
    await context.spawn(task_id={"order": "invoice", "invoice": "print"}[task.task_id])


def log_on(store: StoreUnderTest) -> RedisLog:
    return RedisLog(store.url, prefix=store.prefix, shard_count=4)


async def run_workers(store: StoreUnderTest) -> None:
    recorder = Recorder(log_on(store))
    async with Bench(sink=lambda _: recorder) as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client,
            handler=work,
            consumer_name="worker",
            retry_policy=RetryPolicy(max_retries=1, delay_ms=1_000, jitter=0),
        )
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"), retries=1)
        await recorder.durable()


async def catch_up(log: RedisLog) -> None:
    indexer = Indexer(log=log, read_models=read_models_beside(log))
    await indexer.catch_up()
    await indexer._shards.release()


def contents(runs: list[StoredRun]) -> list[StoredRun]:
    """All but how long they are kept."""
    return [replace(run, expires_at=Instant(0)) for run in runs]


async def test_agents_and_births(any_store: StoreUnderTest) -> None:
    await run_workers(any_store)
    async with log_on(any_store) as log:
        await catch_up(log)
        records = RedisRunRecords(log)
        service = ReliabilityService(records=records, clock=FrozenClock())
        (agent,) = (await service.agents("1h")).agents
        assert (agent.agent, agent.completed, agent.failed + agent.dead_lettered) == ("worker", 2, 1)
        assert (agent.success, agent.by_kind) == (0.6667, {"retry": 1, "spawn": 2, "user_start": 1})

        watch = LineageWatch(
            records, tenants=[DEFAULT_TENANT], measures=PrometheusMeasures(), window_seconds=1e9
        )
        assert (await watch.check()).without_birth == []
        parent = history("lost").published().attempt()
        parent.spawns("orphan").attempt().acked()
        told = [
            event
            for event in parent.events
            if event.envelope.task_id == "orphan" and not isinstance(event.body, TaskPublished)
        ]
        await keep(log, told)
        await catch_up(log)
        assert [run.run_id for run in (await watch.check()).without_birth] == ["orphan"]


def lineage_on(log: RedisLog) -> LineageService:
    """Lineage from streams, and from records where they are gone."""
    runs = KnownRuns(RedisRunRecords(log), tenant=DEFAULT_TENANT)
    progress = ReadModelProgress(log=log, read_models=read_models_beside(log))
    return LineageService(log=log, recorded=Recorded(runs, progress))


async def session_of(log: RedisLog, run_id: str) -> Session:
    """The session of a run, but for how far behind its records are."""
    return replace(await lineage_on(log).session(run_id), as_of=None, lag_ms=None)


async def test_a_session_comes_back_as_it_was(store: StoreUnderTest, tmp_path: Path) -> None:
    await run_workers(store)
    async with log_on(store) as log:
        await catch_up(log)
        store.admin.unlink(*(key for key in store.all_keys() if key.endswith(":events")))
        records, folder = RedisRunRecords(log), RunArchiveFolder(tmp_path)
        before = contents(await records.of_session(DEFAULT_TENANT, "order"))
        answered = await session_of(log, "order")
        assert (len(before), answered.stats.run_count, answered.stats.edge_count) == (3, 3, 4)
        archiver = RunArchiver(
            records, folder, tenant=DEFAULT_TENANT, retention=RunRetention(), began_before=FAR
        )
        weeks = await archiver.weeks()
        assert all([(await archiver.archive(week)).forgotten for week in weeks])
        assert await records.of_session(DEFAULT_TENANT, "order") == []
        with pytest.raises(ExecutionNotFound):
            await session_of(log, "order")

        for _ in range(2):
            importer = RunImporter(records, retention=RunRetention())
            for week in weeks:
                with folder.path_of(DEFAULT_TENANT, week).open("rb") as file:
                    await importer.take(plain_lines(file), source="archive")
            assert contents(await records.of_session(DEFAULT_TENANT, "order")) == before
            for run_id in ("order", "print"):
                assert await session_of(log, run_id) == answered
