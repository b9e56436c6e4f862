"""Read models on real servers, alone and in a cluster: the contract, and what only a server can do to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import pytest
from cluster_servers import ClusterUnderTest, Migration, slots_of
from proxy import cutting_proxy
from servers import StoreUnderTest
from streams.log_harness import address, appended_ids
from streams.read_models_contract import ReadModelsContract
from streams.read_models_harness import DAY, NOW, SHARDS, Place, held, keep, row_for
from streams.redis_harness import log_on

from relayna.errors import LogNotOpen, StoreRefused, StoreUnreachable
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.streams.keys import DEFAULT_TENANT, KeyGrammar
from relayna.streams.log import Append
from relayna.streams.read_model_index import MemberRange, range_of, sweep_range, term_member
from relayna.streams.read_models import Checkpoint, CountKey, IndexPage, IndexTerm, Lease, Row
from relayna.streams.redis.index_leaves import leaf_value
from relayna.streams.redis.index_reading import IndexPart, read_members
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.read_models import RedisReadModels

pytestmark = pytest.mark.anyio

RUNS = CountKey(20_454, "orders", "runs")
LISTED = IndexPage(tenant=DEFAULT_TENANT, name="status", value="failed")


class RedisModelsHarness:
    """Read models under one test's prefix; each number of shards has one of its own."""

    def __init__(self, store: StoreUnderTest) -> None:
        self._store = store
        self._shard_count = 0

    @asynccontextmanager
    async def open(self, *, shard_count: int = SHARDS) -> AsyncIterator[Place]:
        self._shard_count = shard_count
        async with RedisLog(self._store.url, prefix=self._prefix, shard_count=shard_count) as log:
            yield Place(log, RedisReadModels(log, feed_kept_seconds=0))
        self._store.admin.pexpire(f"{self._prefix}:shards", 60_000)

    async def run_out(self, lease: Lease) -> None:
        self._store.admin.pexpire(KeyGrammar(self._prefix, self._shard_count).lease(lease.shard), 0)

    @property
    def _prefix(self) -> str:
        return f"{self._store.prefix}:{self._shard_count}"


class TestOneServer(ReadModelsContract):
    @pytest.fixture
    def harness(self, store: StoreUnderTest) -> RedisModelsHarness:
        return RedisModelsHarness(store)


@pytest.mark.cluster
class TestCluster(ReadModelsContract):
    @pytest.fixture
    def harness(self, cluster_store: StoreUnderTest) -> RedisModelsHarness:
        return RedisModelsHarness(cluster_store)


def counted(task: str, runs: int, *, expires_at: int = NOW + 900 * DAY) -> Row:
    term = IndexTerm("status", "failed", Instant(runs))
    return row_for(task, term, counts={RUNS: runs}, expires_at=Instant(expires_at))


class TestExpiry:
    async def test_every_key_outlives_its_last_row_and_no_more(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            models = RedisReadModels(log)
            await keep(Place(log, models), [counted("a", 1, expires_at=NOW + 9_000 * DAY), counted("b", 2)])
            await keep(Place(log, models), [counted("b", 3)])
            names = [name for name in any_store.all_keys() if not name.endswith((":shards", ":lease"))]
            ends = {name: any_store.admin.execute_command("PEXPIRETIME", name) for name in names}

        keys = log.keys
        assert ends == dict.fromkeys(
            [
                keys.models(0), keys.rows(0, DEFAULT_TENANT), keys.index(0, DEFAULT_TENANT),
                keys.counts(0, DEFAULT_TENANT, RUNS.day),
            ],
            (NOW + 9_001 * DAY) // 1000 + 1,
        )  # fmt: skip

    async def test_a_clock_far_behind_keeps_them_for_a_day_all_the_same(
        self, any_store: StoreUnderTest
    ) -> None:
        async with log_on(any_store, shard_count=1) as log:
            await keep(Place(log, RedisReadModels(log)), [counted("a", 1, expires_at=-(2**62))])
            remaining = any_store.admin.pttl(log.keys.rows(0, DEFAULT_TENANT))

        assert DAY - 60_000_000 < remaining * 1000 <= DAY

    async def test_a_count_whose_rows_have_all_ended_begins_anew(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            place = Place(log, RedisReadModels(log))
            await keep(place, [counted("a", 5), counted("b", 7)])
            any_store.admin.delete(log.keys.counts(0, DEFAULT_TENANT, RUNS.day))
            await keep(place, [counted("a", 6)], removed=[address("b")])
            assert await place.models.counts(DEFAULT_TENANT, [RUNS.day]) == {RUNS: 6}
            await keep(place, [counted("a", 6)])
            assert await place.models.counts(DEFAULT_TENANT, [RUNS.day]) == {RUNS: 6}

    async def test_what_is_taken_back_leaves_no_key(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            place = Place(log, RedisReadModels(log))
            await keep(place, [counted("a", 5)])
            await keep(place, [], removed=[address("a")])
            await place.models.release(list((await held(place)).values()))
            fields = any_store.admin.hkeys(log.keys.models(0))

        assert any_store.all_keys() == sorted([log.keys.shards(), log.keys.models(0)])
        assert fields == [b"revision"]

    async def test_young_references_stay_for_whoever_walks_behind(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            appended_ids(await log.append([Append(address("a"), b"x"), Append(address("b"), b"x")]))
            feed = await log.read_feed(0)
            (lease,) = (await held(Place(log, models := RedisReadModels(log)))).values()
            checkpoint = Checkpoint(fold_version=1, position=feed[-1].stream_id)
            assert await models.store(lease, checkpoint=checkpoint) == "stored"
            assert await log.read_feed(0) == feed


@pytest.mark.cluster
class TestWhileASlotMoves:
    async def test_reading_goes_on_and_a_write_waits_for_its_end(
        self, cluster: ClusterUnderTest, cluster_store: StoreUnderTest
    ) -> None:
        rows = [counted(f"t{number}", 1) for number in range(20)]
        migration = Migration(cluster, slots_of(1))
        async with log_on(cluster_store, shard_count=1) as log:
            place = Place(log, models := RedisReadModels(log))
            await keep(place, rows)
            lease = (await held(place))[0]
            migration.advance()
            assert await models.acquire([0], "me", seconds=600) == [lease]
            assert await models.rows([row.address for row in rows]) == rows
            assert len(await models.page(LISTED)) == 20
            assert await models.counts(DEFAULT_TENANT, [RUNS.day]) == {RUNS: 20}
            with pytest.raises(StoreRefused, match="TRYAGAIN"):
                await models.store(lease, rows=[counted("t0", 2)])
            migration.rest()
            assert await models.store(lease, rows=[counted("t0", 2)]) == "stored"
            assert await models.counts(DEFAULT_TENANT, [RUNS.day]) == {RUNS: 21}


class TestFaults:
    async def test_a_write_that_nobody_answered_may_be_stored_again(self, any_store: StoreUnderTest) -> None:
        place_of = urlsplit(any_store.url)
        async with (
            cutting_proxy(place_of.hostname or "", place_of.port or 0) as proxy,
            RedisLog(proxy.url, prefix=any_store.prefix, shard_count=1) as log,
        ):
            models = RedisReadModels(log)
            (lease,) = (await held(Place(log, models))).values()
            replies = iter([False, True])  # the rows before are read, the write is not answered
            assert await models.store(lease, rows=[counted("a", 5)]) == "stored"
            proxy.may_cut = lambda: next(replies, False)
            with pytest.raises(StoreUnreachable):
                await models.store(lease, rows=[counted("a", 6)])
            assert await models.store(lease, rows=[counted("a", 6), counted("b", 1)]) == "stored"
            assert await models.counts(DEFAULT_TENANT, [RUNS.day]) == {RUNS: 7}
            assert len(await models.page(LISTED)) == 2

        assert proxy.cuts == 1

    async def test_writes_at_the_same_time_are_decided_one_after_the_other(
        self, any_store: StoreUnderTest
    ) -> None:
        async with log_on(any_store, shard_count=1) as log:
            models = RedisReadModels(log)
            (lease,) = (await held(Place(log, models))).values()

            async def write(runs: int) -> None:
                assert await models.store(lease, rows=[counted("a", runs)]) == "stored"

            async with anyio.create_task_group() as tasks:
                for runs in (3, 4, 5):
                    tasks.start_soon(write, runs)
            (row,) = await models.rows([address("a")])
            assert row is not None
            assert await models.counts(DEFAULT_TENANT, [RUNS.day]) == row.counts
            assert len(await models.page(LISTED)) == 1

    async def test_a_checkpoint_is_written_with_the_last_of_many_rows(
        self, any_store: StoreUnderTest
    ) -> None:
        rows = [counted(f"t{number}", 1) for number in range(500)]
        checkpoint = Checkpoint(fold_version=1)
        async with log_on(any_store, shard_count=1) as log:
            models = RedisReadModels(log)
            (lease,) = (await held(Place(log, models))).values()
            # The second portion of rows meets one that cannot be read.
            any_store.admin.hset(log.keys.rows(0, DEFAULT_TENANT), "t300", b"\x09")
            with pytest.raises(StoreRefused, match=r"'t300' cannot be read .* `relayna reindex`"):
                await models.store(lease, rows=rows, checkpoint=checkpoint)
            assert await models.checkpoints([0]) == [None]
            any_store.admin.hdel(log.keys.rows(0, DEFAULT_TENANT), "t300")
            assert await models.store(lease, rows=rows, checkpoint=checkpoint) == "stored"
            assert await models.checkpoints([0]) == [checkpoint]
            assert await models.counts(DEFAULT_TENANT, [RUNS.day]) == {RUNS: 500}

    @pytest.mark.parametrize("value", [b"\x02", b"\x02\xff\xff", b"\x01", b""])
    async def test_a_damaged_row_is_named(self, any_store: StoreUnderTest, value: bytes) -> None:
        async with log_on(any_store, shard_count=1) as log:
            key = log.keys.rows(0, DEFAULT_TENANT)
            any_store.admin.hset(key, "a", value)
            any_store.admin.expire(key, 60)
            with pytest.raises(StoreRefused, match="'a' cannot be read"):
                await RedisReadModels(log).rows([address("a")])

    async def test_a_damaged_leaf_is_named(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            place = Place(log, models := RedisReadModels(log))
            any_store.admin.zadd(key := log.keys.index(0, DEFAULT_TENANT), {bytes(40): 0})
            any_store.admin.expire(key, 60)
            with pytest.raises(StoreRefused, match=r"leaf of the index cannot be read .* `relayna reindex`"):
                await keep(place, [counted("b", 5)])
            with pytest.raises(StoreRefused, match="leaf of the index cannot be read"):
                await models.page(LISTED)
            with pytest.raises(StoreRefused, match="leaf of the index cannot be read"):
                await read_members(
                    log.reader, [IndexPart(key, sweep_range(NOW))], newest_first=False, limit=9
                )

    async def test_more_lies_behind_a_leaf_that_ends_with_the_last_that_is_wanted(
        self, any_store: StoreUnderTest
    ) -> None:
        terms = [IndexTerm("status", "failed", Instant(number), "") for number in range(60)]
        members = [term_member(term, TaskId("a")) for term in terms]
        async with log_on(any_store, shard_count=1) as log:
            key = log.keys.index(0, DEFAULT_TENANT)
            any_store.admin.zadd(key, {leaf_value(leaf): 0 for leaf in (members[:41], members[41:])})
            any_store.admin.expire(key, 60)
            within = range_of(LISTED)
            part = IndexPart(key, MemberRange(members[0], within.end, without_first=True))
            await read_members(log.reader, [part], newest_first=False, limit=40)
            assert (part.members, part.is_all) == (members[1:41], False)
            await read_members(log.reader, [part], newest_first=False, limit=40)
            assert (part.members, part.is_all) == (members[1:], True)

    async def test_a_key_of_another_type_is_refused_by_its_name(self, any_store: StoreUnderTest) -> None:
        async with log_on(any_store, shard_count=1) as log:
            models = RedisReadModels(log)
            wrong = [log.keys.index(0, DEFAULT_TENANT), log.keys.rows(0, DEFAULT_TENANT), log.keys.lease(0)]
            for key in wrong:
                any_store.admin.lpush(key, "x")
                any_store.admin.expire(key, 60)
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await models.page(LISTED)
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await models.rows([address("a")])
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await models.acquire([0], "me", seconds=1)
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await models.release([Lease(0, "me:1")])

    async def test_they_are_open_while_the_log_is(self, any_store: StoreUnderTest) -> None:
        log = log_on(any_store)
        models = RedisReadModels(log)
        with pytest.raises(LogNotOpen):
            await models.page(LISTED)
        with pytest.raises(LogNotOpen):
            await models.acquire([0], "me", seconds=1)
        async with log:
            assert await models.page(LISTED) == []
