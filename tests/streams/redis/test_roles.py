"""Each role of deploy/acl can do all that it must on a real server, and nothing that it must not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from consumer.bench import Bench
from servers import StoreUnderTest
from store_users import ACL_FILES, store_user
from streams.log_contract import LogContract
from streams.log_harness import ORDER, address, appended_ids
from streams.read_models_contract import ReadModelsContract
from streams.read_models_harness import DAY, NOW, SHARDS, Place, held
from streams.redis.test_redis_read_models import RedisModelsHarness
from streams.redis_harness import RedisHarness, log_on
from streams.run_records_contract import RunPlace, keep_runs, run_for

from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import StoreRefused
from relayna.ids import Tenant
from relayna.observability import DLQService, ExecutionGraphService
from relayna.observability.checks import StoreHealth
from relayna.observability.checks.roles import ROLES, judge_rights, probes
from relayna.observability.dead_letter_store import DLQStore
from relayna.streams import Durability, Recorder
from relayna.streams.log import START, Append, NotAppended, StreamRange
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.permissions import permitted
from relayna.streams.redis.read_models import RedisReadModels
from relayna.streams.redis.restoring import restore_stream
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.redis.scanning import stream_addresses
from relayna.streams.redis.sealing import SealResult, seal_streams
from relayna.streams.run_records import week_of

pytestmark = pytest.mark.anyio

FOREIGN = address("theirs", "other")


class TestTheLogAsTheService(LogContract):
    @pytest.fixture
    def harness(self, any_store: StoreUnderTest) -> Iterator[RedisHarness]:
        with store_user(
            any_store, "service", f"%RW~{any_store.prefix}:shards", "+set", shard_count=None
        ) as user:
            yield RedisHarness(user.store)


class LaidOut(RedisModelsHarness):
    """Each number of shards is laid out by an operator first."""

    @asynccontextmanager
    async def open(self, *, shard_count: int = SHARDS) -> AsyncIterator[Place]:
        self._store.admin.set(f"{self._store.prefix}:{shard_count}:shards", shard_count, nx=True, px=60_000)
        async with super().open(shard_count=shard_count) as place:
            yield place


class TestReadModelsAsTheService(ReadModelsContract):
    @pytest.fixture
    def harness(self, any_store: StoreUnderTest) -> Iterator[LaidOut]:
        with store_user(any_store, "service", prefix=f"{any_store.prefix}*", shard_count=None) as user:
            yield LaidOut(user.store)


async def test_run_records_are_kept_by_readers(store: StoreUnderTest) -> None:
    with store_user(store, "reader", shard_count=1) as user:
        async with RedisLog(user.store.url, prefix=store.prefix, shard_count=1) as log:
            where = RunPlace(Place(log, RedisReadModels(log)), RedisRunRecords(log))
            await keep_runs(where, [run_for("t"), run_for("u", data=b"x" * 200)])
            await where.records.restore([run_for("v", began=NOW + 7 * DAY)])
            assert len(await where.records.of_session(Tenant("default"), "S")) == 3
            assert await where.records.of_run(address("v")) == run_for("v", began=NOW + 7 * DAY)
            await where.records.forget(Tenant("default"), week_of(NOW))
            assert await where.records.weeks(Tenant("default")) == [week_of(NOW) + 1]


def test_there_is_a_file_for_each_role_and_nobody_is_on_in_it() -> None:
    assert sorted(path.stem for path in ACL_FILES.glob("*.acl")) == sorted(ROLES)
    for role in ROLES:
        text = (ACL_FILES / f"{role}.acl").read_text()
        assert text.startswith(f"user relayna-{role} off resetpass resetkeys resetchannels -@all ")
        assert "+@" not in text
        assert ">" not in text


async def rights_of(url: str, prefix: str) -> dict[str, bool | None]:
    log = RedisLog(url, prefix=prefix, shard_count=4)
    asked = probes(log.keys, Tenant("default"))
    return dict(zip(asked, await permitted(log, list(asked.values())), strict=True))


@pytest.mark.parametrize("role", ROLES)
async def test_the_usual_checks_know_each_role(any_store: StoreUnderTest, role: str) -> None:
    with store_user(any_store, role, tenant="acme") as user:
        log = RedisLog(user.store.url, prefix=any_store.prefix, shard_count=4)
        report = await StoreHealth(log, tenant=Tenant("acme")).report()
    [rights] = [check for check in report.checks if check.name == "rights"]
    assert (rights.state, role in rights.found) == ("ok", role != "operator"), rights


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_has_its_rights_and_no_others(store: StoreUnderTest, role: str) -> None:
    with store_user(store, role) as user:
        rights = await rights_of(user.store.url, store.prefix)
    unknown = {shown for shown, allowed in rights.items() if allowed is None}
    assert unknown <= {"FUNCTION FLUSH", "MODULE LIST"}
    found = judge_rights(rights, role)  # type: ignore[arg-type]
    assert {check.state for check in found} == {"ok"}, found
    assert judge_rights(rights) == found


async def test_whoever_may_do_everything_is_told(store: StoreUnderTest) -> None:
    missing, more = judge_rights(await rights_of(store.url, store.prefix), "worker")
    assert (missing.state, more.state) == ("ok", "warning")
    assert "more than a worker does" in more.found


async def fail(task: TaskEnvelope, context: TaskContext) -> None:
    await context.publish_status("half", meta={"a": 1})
    raise KeyError("total")


async def recorded_by_a_worker(url: str, prefix: str) -> Bench:
    """A real worker, whose store is this."""
    log = RedisLog(url, prefix=prefix, shard_count=4)
    recorder = Recorder(log)
    bench = Bench(sink=lambda _: recorder)
    async with bench:
        policy = RetryPolicy(max_retries=1, delay_ms=1_000)
        consumer = TaskConsumer(rabbitmq=bench.client, handler=fail, retry_policy=policy)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"), retries=1)
        assert await recorder.durable(budget_seconds=10) is Durability.STORED
        assert await recorder.read(ORDER.task_id) != []
    return bench


async def test_a_worker_records_and_reads_its_own_tenant(store: StoreUnderTest) -> None:
    async with log_on(store) as theirs:
        appended_ids(await theirs.append([Append(FOREIGN, b"x")]))
    with store_user(store, "worker") as user:
        await recorded_by_a_worker(user.store.url, store.prefix)
        async with log_on(user.store) as log:
            assert (await log.incarnations(range(4))).keys() == {0, 1, 2, 3}
            with pytest.raises(StoreRefused, match="NOPERM"):
                await log.read([StreamRange(address=FOREIGN)])
            [refused] = await log.append([Append(FOREIGN, b"forged")])
            assert isinstance(refused, NotAppended)
            for ask in (log.read_feed(0), log.states([FOREIGN])):
                with pytest.raises(StoreRefused, match="NOPERM"):
                    await ask
            assert await seal_streams(log, [ORDER], quiet_seconds=0) == [SealResult.FAILED]
            with pytest.raises(StoreRefused, match="NOPERM"):
                await anything(stream_addresses(log))


async def anything(found: AsyncIterator[object]) -> None:
    async for _ in found:
        return


async def test_a_reader_reads_and_folds_and_writes_no_stream(store: StoreUnderTest) -> None:
    await recorded_by_a_worker(store.url, store.prefix)
    with store_user(store, "reader") as user:
        async with log_on(user.store) as log:
            graph = await ExecutionGraphService(log=log).get_graph("order")
            assert graph.summary.graph_completeness == "full"
            [state] = await log.states([ORDER])
            assert state is not None
            assert await log.changed({ORDER: START}, wait_seconds=0) == {ORDER}
            assert [reference async for reference in every_reference(log)] != []
            models = RedisReadModels(log)
            leases = await held(Place(log, models))
            assert len(leases) == 4
            await models.release(list(leases.values()))
            report = await StoreHealth(log).report()
            assert "failed" not in {check.state for check in report.checks}
            [refused] = await log.append([Append(ORDER, b"forged")])
            assert isinstance(refused, NotAppended)
            assert await seal_streams(log, [ORDER], quiet_seconds=0) == [SealResult.FAILED]


async def every_reference(log: RedisLog) -> AsyncIterator[object]:
    for shard in range(4):
        for reference in await log.read_feed(shard):
            yield reference


async def test_the_service_replays(store: StoreUnderTest) -> None:
    bench = await recorded_by_a_worker(store.url, store.prefix)
    with store_user(store, "service") as user:
        letters = DLQStore(log_on(user.store), clock=bench.workers_clock)
        service = DLQService(store=letters, broker=bench.broker)
        [letter] = await service.list_dead_letters("order")
        result = await service.replay("order", letter["dead_letter_id"], replayed_by="ops", via="http")
        assert result.outcome.value == "replayed", result.problem


async def test_an_operator_seals_restores_scans_and_reshards(store: StoreUnderTest) -> None:
    with store_user(store, "operator", prefix=f"{store.prefix}*", shard_count=None) as user:
        async with log_on(user.store) as log:
            appended_ids(await log.append([Append(ORDER, b"x"), Append(FOREIGN, b"y")]))
            assert await seal_streams(log, [ORDER], quiet_seconds=0) == [SealResult.SEALED]
            entries = (await log.read([StreamRange(address=ORDER)]))[0].entries
            gone = address("gone")
            assert await restore_stream(log, gone, entries, missing=1, retention_seconds=60) == 1
            assert {found async for found in stream_addresses(log)} == {ORDER, FOREIGN, gone}
            report = await StoreHealth(log).report()
            assert "failed" not in {check.state for check in report.checks}
            new = RedisLog(user.store.url, prefix=f"{store.prefix}2", shard_count=2)
            async with new:
                pass
            store.admin.delete(*store.admin.keys(f"{store.prefix}2:*"))
