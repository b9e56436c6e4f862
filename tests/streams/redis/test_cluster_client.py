"""Routing on a real cluster: maps that are out of date, nodes that are gone, and what is never sent twice."""

from __future__ import annotations

from collections.abc import Iterator

import anyio.to_thread
import pytest
from cluster_servers import HOST, ClusterUnderTest, Migration, free_port, slots_of
from proxy import cutting_proxy
from redis.asyncio import RedisCluster
from servers import StoreUnderTest
from streams.log_harness import ORDER, address, appended_ids, page_of, payloads
from streams.redis_harness import log_on

from relayna.errors import StoreRefused, StoreUnreachable
from relayna.store_url import Endpoint
from relayna.streams.keys import KeyGrammar
from relayna.streams.log import Append, Appended, NotAppended, StreamRange
from relayna.streams.outcomes import Trouble, ruling
from relayna.streams.redis.addresses import ClusterAddress, address_of
from relayna.streams.redis.client import ConnectionSettings
from relayna.streams.redis.cluster_client import ClusterStore
from relayna.streams.redis.cluster_slots import slot_of
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.requests import Request

pytestmark = [pytest.mark.anyio, pytest.mark.cluster]

SHARDS = 16


@pytest.fixture
def migration(cluster: ClusterUnderTest) -> Iterator[Migration]:
    migration = Migration(cluster, slots_of(1))
    yield migration
    migration.rest()


def cluster_store_at(*seeds: Endpoint) -> ClusterStore:
    settings = ConnectionSettings.of(f"redis://{seeds[0]}/0")
    return ClusterStore(settings, seeds, url="redis+cluster://test", connections=2)


def place_of(cluster: ClusterUnderTest, node: int) -> Endpoint:
    return Endpoint(HOST, cluster.nodes[node].port)


class TestFindingTheCluster:
    async def test_the_first_node_that_answers_tells_of_all(self, cluster: ClusterUnderTest) -> None:
        store = cluster_store_at(Endpoint(HOST, free_port()), place_of(cluster, 1))
        await store.open()
        await store.ping()
        await store.aclose()

    async def test_nobody_there_is_unreachable(self) -> None:
        with pytest.raises(StoreUnreachable):
            await RedisLog(f"redis+cluster://{HOST}:{free_port()}").__aenter__()

    async def test_a_server_on_its_own_is_refused_with_the_scheme_to_write(
        self, any_store: StoreUnderTest
    ) -> None:
        url = any_store.url.replace("redis://", "redis+cluster://")
        with pytest.raises(StoreRefused, match="write redis:// instead"):
            await RedisLog(url).__aenter__()

    async def test_a_node_is_no_server_on_its_own(self, cluster: ClusterUnderTest) -> None:
        with pytest.raises(StoreRefused, match=r"write redis\+cluster:// instead"):
            await RedisLog(f"redis://{place_of(cluster, 0)}").__aenter__()

    async def test_a_client_handed_in_is_left_alone(self, cluster_store: StoreUnderTest) -> None:
        address_given = address_of(cluster_store.url)
        assert isinstance(address_given, ClusterAddress)
        seed = address_given.seeds[0]
        lender = RedisCluster(host=seed.host, port=seed.port)
        async with RedisLog(lender, prefix=cluster_store.prefix, shard_count=4) as log:
            appended_ids(await log.append([Append(ORDER, b"x")]))
        assert lender.get_nodes() == []  # it has not even been connected
        await lender.aclose()


class TestAMapThatIsOutOfDate:
    async def test_a_refused_request_is_sent_on_and_done_once(
        self, cluster_store: StoreUnderTest, migration: Migration
    ) -> None:
        async with log_on(cluster_store, shard_count=1) as log:
            appended_ids(await log.append([Append(ORDER, b"1")]))
            for number in range(2, 6):
                migration.advance()
                migration.advance()
                appended_ids(await log.append([Append(ORDER, b"%d" % number)]))
            page = await page_of(log, ORDER)
            feed = await log.read_feed(0)

        assert payloads(page.entries) == [b"1", b"2", b"3", b"4", b"5"]
        assert len(feed) == 5

    async def test_reads_follow_too(self, cluster_store: StoreUnderTest, migration: Migration) -> None:
        tasks = [address(f"t{number}") for number in range(150)]
        async with log_on(cluster_store, shard_count=1) as log:
            appended_ids(await log.append([Append(task, task.task_id.encode()) for task in tasks]))
            for _ in range(4):
                migration.advance()
                pages = await log.read([StreamRange(address=task) for task in tasks])
                assert [payloads(page.entries) for page in pages] == [
                    [task.task_id.encode()] for task in tasks
                ]

    async def test_a_slot_that_nobody_has_is_refused_and_harms_no_other(
        self, cluster: ClusterUnderTest, cluster_store: StoreUnderTest
    ) -> None:
        store = cluster_store_at(place_of(cluster, 0))
        await store.open()
        here, there = f"{cluster_store.prefix}:{{0}}", f"{cluster_store.prefix}:{{1}}"
        store._slots.ranges = [
            (last, node) for last, node in store._slots.ranges if last >= slot_of(here) > slot_of(there)
        ]
        store._slots.starts = [slot_of(there) + 1]
        replies = await store.exchange([Request((("GET", key),), key) for key in (here, there)])
        await store.aclose()

        match replies:
            case [None, Failed(StoreRefused() as error, outcome_unknown=False)]:
                assert ruling(error).trouble is Trouble.STORE
                assert "CLUSTERDOWN" in error.problem
            case _:
                pytest.fail(f"unexpected replies {replies}")


class TestANodeThatIsGone:
    async def test_its_frames_were_not_sent_and_others_are_stored(
        self, cluster_store: StoreUnderTest
    ) -> None:
        tasks = [address(f"t{number}") for number in range(60)]
        keys = KeyGrammar(cluster_store.prefix, SHARDS)
        async with log_on(cluster_store, shard_count=SHARDS) as log:
            assert log._open is not None
            store = log._open[0]
            assert isinstance(store, ClusterStore)
            nobody = Endpoint(HOST, free_port())
            slot = slot_of(keys.events(tasks[0]))
            store._slots.learned[slot] = nobody
            results = await log.append([Append(task, b"x") for task in tasks])
            gone = [slot_of(keys.events(task)) == slot for task in tasks]
            for is_gone, result in zip(gone, results, strict=True):
                assert isinstance(result, NotAppended if is_gone else Appended)
                if isinstance(result, NotAppended):
                    assert isinstance(result.error, StoreUnreachable)
                    assert not result.outcome_unknown
                    assert str(nobody) in result.error.url
            again = await log.append([Append(task, b"y") for task in tasks])  # with the map asked for anew

        assert any(gone)
        assert not all(gone)
        appended_ids(again)

    async def test_a_reply_that_was_cut_is_an_unknown_outcome_and_sent_once(
        self, cluster: ClusterUnderTest, cluster_store: StoreUnderTest
    ) -> None:
        async with log_on(cluster_store, shard_count=1) as log:
            assert log._open is not None
            store = log._open[0]
            assert isinstance(store, ClusterStore)
            slot = slot_of(log.keys.feed(0))
            node = cluster.node_of(slot)
            async with cutting_proxy(HOST, node.port) as proxy:
                host, port = proxy.url.removeprefix("redis://").removesuffix("/0").split(":")
                store._slots.learned[slot] = Endpoint(host, int(port))
                appended_ids(await log.append([Append(ORDER, b"before")]))
                proxy.cutting = True
                (result,) = await log.append([Append(ORDER, b"during")])
                cuts = proxy.cuts
                proxy.cutting = False
            page = await page_of(log, ORDER)

        assert isinstance(result, NotAppended)
        assert isinstance(result.error, StoreUnreachable)
        assert (result.outcome_unknown, cuts) == (True, 1)
        assert payloads(page.entries) == [b"before", b"during"]

    async def test_a_master_that_is_loading_refuses_for_now(
        self, cluster: ClusterUnderTest, cluster_store: StoreUnderTest
    ) -> None:
        """`CLUSTERDOWN` stands for all: the node answers, and it is not the task that is at fault."""
        node = cluster.node_of(slots_of(1)[0])
        async with log_on(cluster_store, shard_count=1) as log:
            node.admin.execute_command("CLUSTER DELSLOTS", slots_of(1)[0])
            try:
                (result,) = await log.append([Append(ORDER, b"x")])
            finally:
                node.admin.execute_command("CLUSTER ADDSLOTS", slots_of(1)[0])

        assert isinstance(result, NotAppended)
        assert isinstance(result.error, StoreRefused)
        assert result.ruling.trouble is Trouble.STORE
        assert not result.outcome_unknown


async def test_calls_cut_short_spoil_no_later_reply(cluster_store: StoreUnderTest) -> None:
    tasks = [address(f"t{number}") for number in range(10)]
    async with log_on(cluster_store) as log:
        appended_ids(await log.append([Append(task, task.task_id.encode()) for task in tasks]))
        for turn in range(100):
            async with anyio.create_task_group() as group:
                group.start_soon(page_of, log, tasks[turn % 10])
                for _ in range(turn % 9):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
            task = tasks[(turn + 1) % 10]
            assert payloads((await page_of(log, task)).entries) == [task.task_id.encode()]
