"""Run records on real servers, alone and in a cluster: the contract, and what only a server can do to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from msgspec.structs import replace
from servers import StoreUnderTest
from streams.log_harness import address
from streams.read_models_harness import DAY, NOW, SHARDS, Place, held, row_for
from streams.redis_harness import log_on
from streams.run_records_contract import RunPlace, RunRecordsContract, keep_runs, run_for

from relayna.errors import StoreRefused
from relayna.streams.keys import DEFAULT_TENANT, KeyGrammar
from relayna.streams.read_models import Lease, Row
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.read_models import RedisReadModels
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.run_records import WEEK_MICROS

pytestmark = pytest.mark.anyio


class RedisRunsHarness:
    """Under one test's prefix; each number of shards has one of its own."""

    def __init__(self, store: StoreUnderTest) -> None:
        self._store = store
        self._shard_count = 0

    @asynccontextmanager
    async def open(self, *, shard_count: int = SHARDS) -> AsyncIterator[RunPlace]:
        self._shard_count = shard_count
        async with RedisLog(self._store.url, prefix=self._prefix, shard_count=shard_count) as log:
            yield RunPlace(Place(log, RedisReadModels(log)), RedisRunRecords(log))
        self._store.admin.pexpire(f"{self._prefix}:shards", 60_000)

    async def run_out(self, lease: Lease) -> None:
        self._store.admin.pexpire(KeyGrammar(self._prefix, self._shard_count).lease(lease.shard), 0)

    @property
    def _prefix(self) -> str:
        return f"{self._store.prefix}:{self._shard_count}"


class TestOneServer(RunRecordsContract):
    @pytest.fixture
    def harness(self, any_store: StoreUnderTest) -> RedisRunsHarness:
        return RedisRunsHarness(any_store)


@pytest.mark.cluster
class TestCluster(RunRecordsContract):
    @pytest.fixture
    def harness(self, cluster_store: StoreUnderTest) -> RedisRunsHarness:
        return RedisRunsHarness(cluster_store)


class _Counted:
    def __init__(self) -> None:
        self.told: dict[str, int] = {}

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        self.told[name] = self.told.get(name, 0) + by


def place_on(log: RedisLog) -> RunPlace:
    return RunPlace(Place(log, RedisReadModels(log)), RedisRunRecords(log))


class TestKeys:
    async def test_keys_expire_a_week_after_the_last_record_and_a_day(
        self, any_store: StoreUnderTest
    ) -> None:
        async with log_on(any_store, shard_count=1) as log:
            await keep_runs(place_on(log), [run_for("a", kept=4_000 * DAY), run_for("b", kept=DAY)])
            names = [name for name in any_store.all_keys() if ":runs" in name]
            ends = {any_store.admin.execute_command("PEXPIRETIME", name) for name in names}

        assert len(names) == 2
        assert ends == {(NOW + (4_000 + 7 + 1) * DAY) // 1000}

    async def test_what_has_long_run_out_is_kept_for_a_day_all_the_same(
        self, any_store: StoreUnderTest
    ) -> None:
        async with log_on(any_store, shard_count=1) as log:
            await keep_runs(where := place_on(log), [run_for("a", began=0, kept=DAY)])
            (name,) = [name for name in any_store.all_keys() if ":runs:" in name]
            assert DAY - 60_000_000 < any_store.admin.pttl(name) * 1000 <= DAY
            assert await where.records.of_run(address("a")) == run_for("a", began=0, kept=DAY)

    async def test_records_are_packed_by_the_server(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            runs = [run_for(f"t{n}", session_id="S", data=b"x" * (n % 300)) for n in range(40)]
            await keep_runs(place_on(log), runs)
            (name,) = [name for name in any_store.all_keys() if ":runs:" in name]
            assert any_store.admin.object("encoding", name) == b"listpack"

    async def test_a_week_has_as_many_parts_as_the_one_before_it_needed(
        self, any_store: StoreUnderTest
    ) -> None:
        def parts_of(week: int) -> int:
            told = any_store.admin.hget(log.keys.runs(0, DEFAULT_TENANT), str(week))
            return int(told.split()[0])

        first = NOW // WEEK_MICROS
        async with log_on(any_store, shard_count=1) as log:
            where = place_on(log)
            for turn in range(3):
                runs = [
                    run_for(f"{turn}-{n}", session_id=f"S{n}", began=NOW + turn * WEEK_MICROS)
                    for n in range(400)
                ]
                await keep_runs(where, runs)
            found = [parts_of(first + turn) for turn in range(3)]
            assert found[0] == 1_024
            assert set(found[1:]) <= {4, 8, 16}
            assert len(await where.records.of_session(DEFAULT_TENANT, "S7")) == 3

    async def test_weeks_that_ended_are_struck_out_when_another_begins(
        self, any_store: StoreUnderTest
    ) -> None:
        async with log_on(any_store, shard_count=1) as log:
            where = place_on(log)
            await keep_runs(where, [run_for("a", began=0, kept=DAY), run_for("b", began=-1, kept=DAY)])
            assert await where.records.weeks(DEFAULT_TENANT) == [-1, 0]
            await keep_runs(where, [run_for("c")])
            assert await where.records.weeks(DEFAULT_TENANT) == [NOW // WEEK_MICROS]


class TestFaults:
    async def test_records_that_cannot_be_read_are_counted_and_passed_over(
        self, any_store: StoreUnderTest
    ) -> None:
        async with log_on(any_store, shard_count=1) as log:
            await keep_runs(place_on(log), [run_for("t", data=b"x" * 100), run_for("u")])
            (name,) = [name for name in any_store.all_keys() if ":runs:" in name]
            any_store.admin.hset(name, b"\0foreign", b"\xff\xff")
            any_store.admin.hset(name, b"\x09foreign", b"\x03" + b"x" * 20)
            any_store.admin.hset(name, b"", b"")
            (piece,) = [one for one in any_store.admin.hkeys(name) if one[:1] == b"\x04"]
            any_store.admin.hdel(name, piece)
            any_store.admin.hset(log.keys.runs(0, DEFAULT_TENANT), b"foreign", b"x")
            counted = _Counted()
            records = RedisRunRecords(log, counters=counted)
            assert await records.of_session(DEFAULT_TENANT, "S") == [run_for("u")]

        assert counted.told == {"relayna_run_records_unreadable_total": 4}

    async def test_a_key_of_another_type_is_refused_by_its_name(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            where = place_on(log)
            lease = (await held(where.place))[0]
            key = log.keys.runs(0, DEFAULT_TENANT)
            any_store.admin.lpush(key, "x")
            any_store.admin.expire(key, 60)
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await where.records.of_session(DEFAULT_TENANT, "S")
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await where.models.store(lease, rows=[_with_run("t")])
            assert await where.models.store(lease, rows=[row_for("u")]) == "stored"

    async def test_others_that_write_meanwhile_take_nothing_away(self, any_store: StoreUnderTest) -> None:
        runs = [run_for(f"t{n}") for n in range(20)]
        async with log_on(any_store, shard_count=1) as log:
            where = place_on(log)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(where.records.restore, runs[:10])
                tasks.start_soon(keep_runs, where, runs[10:])
                tasks.start_soon(where.records.restore, runs[5:15])
            assert len(await where.records.of_session(DEFAULT_TENANT, "S")) == 20


def _with_run(task: str) -> Row:
    return replace(row_for(task), run=run_for(task))
