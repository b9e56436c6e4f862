"""Appends that count only when a replica, or the disk, has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from reliability.store_server import StoreServer
from servers import missing_server
from streams.log_harness import ORDER, appended_ids, page_of, payloads
from streams.recording_steps import event_ids, make_recorder, sampled

from relayna.clock import SystemClock
from relayna.errors import InvalidSetting, StoreRefused
from relayna.streams.embedded import bundled_binary
from relayna.streams.log import Append, NotAppended
from relayna.streams.outcomes import Outcome
from relayna.streams.redis.confirmation import confirmation_of
from relayna.streams.redis.log import RedisLog
from relayna.streams.sink import Durability

pytestmark = [pytest.mark.anyio, pytest.mark.fault]


@pytest.fixture
async def master(tmp_path: Path) -> AsyncIterator[StoreServer]:
    async with StoreServer(tmp_path / "master", repl_diskless_sync_delay="0") as running:
        yield running


@pytest.fixture
async def replica(tmp_path: Path, master: StoreServer) -> AsyncIterator[StoreServer]:
    async with StoreServer(tmp_path / "replica") as running:
        await anyio.to_thread.run_sync(follow, running, master)
        yield running


def follow(replica: StoreServer, master: StoreServer) -> None:
    """Return when the replica has all there is."""
    with replica.admin() as follower, master.admin() as leader:
        follower.replicaof("127.0.0.1", master.port)
        leader.set("mark", "1", ex=60)
        assert leader.wait(1, 4_000) == 1


def test_another_word_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="'disk' is none of memory, replica, fsync"):
        RedisLog("redis://cache", durability="disk")  # type: ignore[arg-type]


def test_memory_asks_nothing() -> None:
    assert confirmation_of("memory") is None


class TestReplica:
    async def test_what_a_replica_has_confirmed_is_there(
        self, master: StoreServer, replica: StoreServer
    ) -> None:
        async with RedisLog(master.url, durability="replica") as log:
            appended_ids(await log.append([Append(ORDER, b"x")]))
            await master.kill()
        with replica.admin() as admin:
            admin.replicaof("NO", "ONE")
        async with RedisLog(replica.url) as log:
            assert payloads((await page_of(log, ORDER)).entries) == [b"x"]

    async def test_without_a_replica_it_is_in_the_log_and_does_not_count(self, master: StoreServer) -> None:
        async with RedisLog(master.url, durability="replica") as log:
            (result,) = await log.append([Append(ORDER, b"x")])
            assert payloads((await page_of(log, ORDER)).entries) == [b"x"]

        assert isinstance(result, NotAppended)
        assert result.outcome is Outcome.UNKNOWN
        assert "NOREPLICAS no replica has confirmed it within 1000 ms" in str(result.error)

    async def test_a_promise_is_not_kept_by_a_master_alone(self, master: StoreServer) -> None:
        log = RedisLog(master.url, durability="replica")
        async with make_recorder(log, clock=SystemClock()) as recorder:
            recorder.record(sampled(0))
            assert await recorder.durable(budget_seconds=0.25) is Durability.PENDING
            with anyio.fail_after(30):
                while recorder.buffered_events:  # a read back finds it, and nothing is appended twice
                    await recorder.durable(budget_seconds=0.25)
                    await anyio.lowlevel.checkpoint()
            assert len(await event_ids(recorder)) == 1
            assert len((await page_of(log, ORDER)).entries) == 1


class TestFsync:
    async def test_what_is_confirmed_survives_the_server(self, tmp_path: Path) -> None:
        binary = bundled_binary()
        if binary is None:
            missing_server("no valkey server: install the extra `relayna[embedded]`")
        async with StoreServer(tmp_path, binary=binary, appendfsync="everysec") as server:
            async with RedisLog(server.url, durability="fsync") as log:
                appended_ids(await log.append([Append(ORDER, b"x")]))
            await server.kill()
            await server.restart()
            async with RedisLog(server.url) as log:
                assert payloads((await page_of(log, ORDER)).entries) == [b"x"]

    async def test_a_server_that_cannot_is_refused_when_it_is_opened(self, tmp_path: Path) -> None:
        binary = bundled_binary()
        async with StoreServer(tmp_path, binary=binary, appendonly="no") as server:
            with pytest.raises(InvalidSetting, match="does not answer WAITAOF"):
                await RedisLog(server.url, durability="fsync").__aenter__()

    async def test_an_old_server_is_refused_when_it_is_opened(self, master: StoreServer) -> None:
        with master.admin() as admin:
            major, minor, *_ = map(int, admin.info("server")["redis_version"].split("."))
        if (major, minor) >= (7, 2):
            pytest.skip("this server has WAITAOF")
        with pytest.raises(InvalidSetting, match="unknown command"):
            await RedisLog(master.url, durability="fsync").__aenter__()

    async def test_a_recorder_tells_whoever_enters_it(self, tmp_path: Path) -> None:
        async with StoreServer(tmp_path, binary=bundled_binary(), appendonly="no") as server:
            with pytest.raises(InvalidSetting):
                await make_recorder(RedisLog(server.url, durability="fsync")).__aenter__()


async def test_a_confirmation_that_is_refused_leaves_the_outcome_unknown(master: StoreServer) -> None:
    async with RedisLog(master.url, durability="replica") as log:
        with master.admin() as admin:
            admin.acl_setuser(
                "default", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-wait"]
            )
        (result,) = await log.append([Append(ORDER, b"x")])

    assert isinstance(result, NotAppended)
    assert isinstance(result.error, StoreRefused)
    assert result.outcome is Outcome.UNKNOWN
