"""The log on real servers: the contract of every log, and what only a server can do to it."""

from __future__ import annotations

import asyncio
import gc

import anyio
import anyio.to_thread
import pytest
import redis
from proxy import cutting_proxy
from servers import StoreUnderTest
from streams.log_contract import LogContract
from streams.log_harness import (
    ORDER,
    address,
    appended_ids,
    page_of,
)
from streams.redis_harness import RedisHarness, log_on

from relayna.errors import ShardCountMismatch, StoreRefused, StoreUnreachable
from relayna.streams.embedded import EmbeddedServer
from relayna.streams.log import FEED_RETENTION_SECONDS, Append, Appended, NotAppended, StreamRange
from relayna.streams.redis.greeting import check_version
from relayna.streams.redis.log import RedisLog

pytestmark = pytest.mark.anyio

OTHER = address("other")


class TestRedisLog(LogContract):
    @pytest.fixture
    def harness(self, store: StoreUnderTest) -> RedisHarness:
        return RedisHarness(store)


class Tally:
    """Counters that remember."""

    def __init__(self) -> None:
        self.counted: dict[str, int] = {}

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        self.counted[name] = self.counted.get(name, 0) + by


class TestExpiry:
    async def test_an_append_never_shortens_it(self, store: StoreUnderTest) -> None:
        async with (
            log_on(store, retention_seconds=9_000) as longer,
            log_on(store, retention_seconds=10) as shorter,
        ):
            appended_ids(await longer.append([Append(ORDER, b"x")]))
            appended_ids(await shorter.append([Append(ORDER, b"y")]))
            kept = (await page_of(shorter, ORDER)).state.expires_in_ms

        assert kept is not None
        assert kept > 8_000_000

    async def test_a_stream_persisted_by_hand_stays(self, store: StoreUnderTest) -> None:
        async with log_on(store) as log:
            appended_ids(await log.append([Append(ORDER, b"x")]))
            store.admin.persist(log.keys.events(ORDER))
            for tells in (None, "open", "ended"):
                appended_ids(await log.append([Append(ORDER, b"y", tells)]))
            state = (await page_of(log, ORDER)).state
            store.admin.delete(log.keys.events(ORDER))

        assert (state.length, state.expires_in_ms) == (4, None)

    async def test_a_feed_has_its_own(self, store: StoreUnderTest) -> None:
        async with log_on(store, shard_count=1, retention_seconds=10) as log:
            appended_ids(await log.append([Append(ORDER, b"x")]))
            remaining = store.admin.pttl(log.keys.feed(0))

        assert (FEED_RETENTION_SECONDS - 60) * 1000 < remaining <= FEED_RETENTION_SECONDS * 1000

    async def test_only_the_number_of_shards_stays_for_ever(self, store: StoreUnderTest) -> None:
        async with log_on(store) as log:
            appended_ids(await log.append([Append(address(f"t{n}"), b"x") for n in range(20)]))
            permanent = [key for key in store.all_keys() if store.admin.pttl(key) == -1]

        assert permanent == [log.keys.shards()]
        assert store.keys_without_expiry() == []


class TestOneBadStream:
    async def test_a_key_of_another_type_fails_its_own_frames_only(self, store: StoreUnderTest) -> None:
        async with log_on(store, shard_count=1) as log:
            store.admin.set(log.keys.events(ORDER), "not a stream", ex=60)
            results = await log.append([Append(OTHER, b"1"), Append(ORDER, b"2"), Append(OTHER, b"3")])
            feed = await log.read_feed(0)

        match results:
            case [Appended(), NotAppended(StoreRefused() as error, outcome_unknown=False), Appended()]:
                assert error.problem.startswith("WRONGTYPE")
            case _:
                pytest.fail(f"unexpected results {results}")
        assert [reference.address for reference in feed] == [OTHER]

    async def test_reading_it_names_the_key(self, store: StoreUnderTest) -> None:
        async with log_on(store) as log:
            store.admin.set(log.keys.events(ORDER), "not a stream", ex=60)
            with pytest.raises(StoreRefused, match="WRONGTYPE") as caught:
                await log.read([StreamRange(address=OTHER), StreamRange(address=ORDER)])
            assert log.keys.events(ORDER) in str(caught.value)
            assert (await page_of(log, OTHER)).entries == []

    async def test_a_feed_of_another_type_harms_no_frame_and_is_counted(self, store: StoreUnderTest) -> None:
        tally = Tally()
        async with RedisLog(store.url, prefix=store.prefix, shard_count=1, counters=tally) as log:
            store.admin.set(log.keys.feed(0), "not a stream", ex=60)
            store.admin.set(log.keys.events(ORDER), "not a stream", ex=60)
            results = await log.append([Append(OTHER, b"1"), Append(OTHER, b"2"), Append(ORDER, b"3")])

        assert [type(result) for result in results] == [Appended, Appended, NotAppended]
        assert tally.counted == {"relayna_feed_references_missed_total": 1}

    async def test_a_foreign_entry_hides_no_other(self, store: StoreUnderTest) -> None:
        async with log_on(store, shard_count=1) as log:
            appended_ids(await log.append([Append(ORDER, b"ours")]))
            store.admin.xadd(log.keys.events(ORDER), {"field": "theirs"})
            store.admin.xadd(log.keys.feed(0), {"field": "theirs"})
            store.admin.xadd(log.keys.feed(0), {"t": b"\xff"})
            appended_ids(await log.append([Append(ORDER, b"ours again")]))
            entries = (await page_of(log, ORDER)).entries
            feed = await log.read_feed(0)

        assert [entry.payload for entry in entries] == [b"ours", b"", b"ours again"]
        assert [reference.address == ORDER for reference in feed] == [True, False, False, True]


class TestShards:
    async def test_another_number_is_refused(self, store: StoreUnderTest) -> None:
        async with log_on(store, shard_count=8):
            pass
        with pytest.raises(ShardCountMismatch) as caught:
            await log_on(store, shard_count=4).__aenter__()

        assert (caught.value.stored, caught.value.wanted) == (8, 4)
        async with log_on(store, shard_count=8) as log:
            await log.ping()

    async def test_something_else_under_the_key_is_refused(self, store: StoreUnderTest) -> None:
        store.admin.set(f"{store.prefix}:shards", "many", ex=60)
        with pytest.raises(StoreRefused, match="not a number of shards"):
            await log_on(store).__aenter__()

    async def test_all_keys_of_a_call_lie_in_their_shard(self, store: StoreUnderTest) -> None:
        async with log_on(store) as log:
            tasks = [address(f"t{number}") for number in range(20)]
            appended_ids(await log.append([Append(task, b"x") for task in tasks]))
            expected = {log.keys.events(task) for task in tasks}
            expected |= {log.keys.feed(log.keys.shard_of(task)) for task in tasks} | {log.keys.shards()}

        assert set(store.all_keys()) == expected


class TestTheScript:
    async def test_it_is_loaded_again_after_the_server_forgot_it(self, store: StoreUnderTest) -> None:
        async with log_on(store) as log:
            appended_ids(await log.append([Append(ORDER, b"1")]))
            store.admin.script_flush()
            tasks = [address(f"t{number}") for number in range(20)]
            appended_ids(await log.append([Append(task, b"2") for task in tasks]))
            pages = await log.read([StreamRange(address=task) for task in tasks])

        assert [len(page.entries) for page in pages] == [1] * 20


class TestNoAnswer:
    async def test_a_reply_that_was_cut_is_an_unknown_outcome(self, store: StoreUnderTest) -> None:
        host, port = "127.0.0.1", int(store.url.rsplit(":", 1)[1].split("/")[0])
        async with (
            cutting_proxy(host, port) as proxy,
            RedisLog(proxy.url, prefix=store.prefix, shard_count=4) as log,
        ):
            appended_ids(await log.append([Append(ORDER, b"before")]))
            proxy.cutting = True
            (result,) = await log.append([Append(ORDER, b"during")])
            with pytest.raises(StoreUnreachable):
                await page_of(log, ORDER)
            proxy.cutting = False
            entries = (await page_of(log, ORDER)).entries

        assert isinstance(result, NotAppended)
        assert isinstance(result.error, StoreUnreachable)
        assert result.outcome_unknown
        assert proxy.cuts == 2  # nothing was sent a second time
        assert [entry.payload for entry in entries] == [b"before", b"during"]

    @pytest.mark.fault
    async def test_a_server_that_went_away_was_sent_nothing(self) -> None:
        async with EmbeddedServer() as server, RedisLog(server.url) as log:
            appended_ids(await log.append([Append(ORDER, b"before")]))
            await server.__aexit__(None, None, None)
            results = await log.append([Append(ORDER, b"1"), Append(OTHER, b"2")])
            with pytest.raises(StoreUnreachable, match="Is it running"):
                await page_of(log, ORDER)
            with pytest.raises(StoreUnreachable):
                await log.read_feed(0)
            with pytest.raises(StoreUnreachable):
                await log.ping()

        for result in results:
            assert isinstance(result, NotAppended)
            assert isinstance(result.error, StoreUnreachable)
            assert not result.outcome_unknown

    @pytest.mark.fault
    async def test_a_connection_that_the_server_closed_is_made_anew(self) -> None:
        async with EmbeddedServer() as server, RedisLog(server.url) as log:
            appended_ids(await log.append([Append(ORDER, b"before")]))
            with redis.Redis.from_url(server.url) as admin:
                await anyio.to_thread.run_sync(lambda: admin.client_kill_filter(_type="normal", skipme=True))
            appended_ids(await log.append([Append(ORDER, b"after")]))
            assert len((await page_of(log, ORDER)).entries) == 2

    @pytest.mark.fault
    async def test_a_full_server_refuses_each_frame(self) -> None:
        async with EmbeddedServer() as server, RedisLog(server.url) as log:
            with redis.Redis.from_url(server.url) as admin:
                admin.config_set("maxmemory", 1)
                (result,) = await log.append([Append(ORDER, b"x")])

        assert isinstance(result, NotAppended)
        assert isinstance(result.error, StoreRefused)
        assert result.error.problem.startswith("OOM")
        assert not result.outcome_unknown

    async def test_a_log_that_is_not_open_says_so(self, any_store: StoreUnderTest) -> None:
        log = log_on(any_store)
        (result,) = await log.append([Append(ORDER, b"x")])
        with pytest.raises(StoreUnreachable, match="enter it first"):
            await log.ping()

        assert isinstance(result, NotAppended)
        assert not result.outcome_unknown

    async def test_calls_cut_short_spoil_no_later_reply(self, any_store: StoreUnderTest) -> None:
        tasks = [address(f"t{number}") for number in range(10)]
        async with log_on(any_store) as log:
            appended_ids(await log.append([Append(task, task.task_id.encode()) for task in tasks]))
            for turn in range(200):
                async with anyio.create_task_group() as group:
                    group.start_soon(page_of, log, tasks[turn % 10])
                    for _ in range(turn % 9):
                        await anyio.lowlevel.checkpoint()
                    group.cancel_scope.cancel()
                task = tasks[(turn + 1) % 10]
                assert [e.payload for e in (await page_of(log, task)).entries] == [task.task_id.encode()]


@pytest.mark.parametrize("version", [b"6.2.14", b"5.0.7", b"", b"new"])
def test_an_old_server_is_refused(version: bytes) -> None:
    with pytest.raises(StoreRefused, match="needs Redis 7"):
        check_version([b"server", b"redis", b"version", version, b"proto", 2])


def test_a_reply_without_a_version_is_refused() -> None:
    with pytest.raises(StoreRefused, match="needs Redis 7"):
        check_version(b"OK")


@pytest.mark.parametrize("version", [b"7.0.0", b"7.2.4", b"9.1.2", b"10.0.0"])
def test_a_new_server_is_taken(version: bytes) -> None:
    check_version([b"server", b"valkey", b"version", version])


async def test_a_cancelled_close_leaves_no_connection_open(any_store: StoreUnderTest) -> None:
    """Ctrl-C cancels the task that is just closing; an open connection would be told as a ResourceWarning."""
    entered = asyncio.Event()

    async def use() -> None:
        async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
            await log.ping()
            entered.set()
            asyncio.get_running_loop().call_soon(using.cancel)

    using = asyncio.ensure_future(use())
    await entered.wait()
    with pytest.raises(asyncio.CancelledError):
        await using
    gc.collect()
