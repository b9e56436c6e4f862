"""The log behind sentinels: finding the master, and going on after it died."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import anyio
import anyio.to_thread
import pytest
import redis
from cluster_servers import HOST, free_port
from sentinel_servers import SERVICE, Watched, place, port_of
from streams.log_harness import ORDER, address, appended_ids, page_of, payloads
from streams.recording_steps import make_recorder, sampled

from relayna.clock import SystemClock
from relayna.errors import StoreError, StoreRefused, StoreUnreachable
from relayna.streams import Durability, replay
from relayna.streams.log import START, Append, NotAppended
from relayna.streams.recording.backoff import Backoff
from relayna.streams.redis.log import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.cluster]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with Watched() as watched:
        yield watched


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return f"test-{request.node.name}"


class TestFindingTheMaster:
    async def test_the_log_is_on_the_master(self, watched: Watched, prefix: str) -> None:
        async with RedisLog(watched.url, prefix=prefix) as log:
            appended_ids(await log.append([Append(ORDER, b"x")]))
            await log.ping()
            assert payloads((await page_of(log, ORDER)).entries) == [b"x"]
            key = log.keys.events(ORDER)
        with redis.Redis.from_url(watched.servers[0].url) as admin:
            assert admin.xlen(key) == 1

    async def test_the_master_is_waited_for(self, watched: Watched, prefix: str) -> None:
        async with RedisLog(watched.url, prefix=prefix) as log:
            (known,) = appended_ids(await log.append([Append(ORDER, b"x")]))
            assert await log.changed({ORDER: known}, wait_seconds=0.01) == set()
            assert await log.changed({ORDER: START}, wait_seconds=60) == {ORDER}
            assert [state.last_id for state in await log.states([ORDER])] == [known]

    async def test_sentinels_are_asked_in_turn(self, watched: Watched, prefix: str) -> None:
        places = f"{HOST}:{free_port()},{place(watched.servers[1])},{place(watched.sentinels[0])}"
        async with RedisLog(f"redis+sentinel://{places}/{SERVICE}", prefix=prefix) as log:
            await log.ping()

    async def test_a_service_that_nobody_knows_is_told_with_who_was_asked(self, watched: Watched) -> None:
        url = f"redis+sentinel://{place(watched.sentinels[0])}/unheard-of"
        with pytest.raises(StoreUnreachable, match="knows of no service 'unheard-of'") as caught:
            await RedisLog(url).__aenter__()
        assert place(watched.sentinels[0]) in str(caught.value)

    async def test_nobody_to_ask_is_unreachable_and_tells_no_secret(self) -> None:
        with pytest.raises(StoreUnreachable) as caught:
            await RedisLog(f"redis+sentinel://:swordfish@{HOST}:{free_port()}/{SERVICE}").__aenter__()
        assert "swordfish" not in str(caught.value)

    async def test_a_replica_is_never_taken_for_the_master(self, watched: Watched) -> None:
        with redis.Redis.from_url(watched.sentinels[0].url) as sentinel:
            sentinel.execute_command("SENTINEL", "MONITOR", "wrong", HOST, port_of(watched.servers[1]), 1)
            try:
                with pytest.raises(StoreUnreachable, match="not the master"):
                    await RedisLog(f"redis+sentinel://{place(watched.sentinels[0])}/wrong").__aenter__()
            finally:
                sentinel.execute_command("SENTINEL", "REMOVE", "wrong")

    async def test_a_sentinel_is_no_store(self, watched: Watched) -> None:
        with pytest.raises(StoreRefused, match=r"write redis\+sentinel://"):
            await RedisLog(watched.sentinels[0].url).__aenter__()


@pytest.mark.fault
async def test_the_log_goes_on_where_the_sentinels_say(prefix: str) -> None:
    backoff = Backoff(longest_seconds=0.2)
    with Watched() as watched:
        log = RedisLog(watched.url, prefix=prefix)
        async with (
            log,
            make_recorder(log, clock=SystemClock(), backoff=backoff, close_deadline=20.0) as recorder,
        ):
            for seq in range(10):
                recorder.record(sampled(seq))
            assert await recorder.durable(budget_seconds=10) is Durability.STORED
            with redis.Redis.from_url(watched.servers[0].url) as admin:
                assert admin.wait(1, 10_000) == 1  # what the replica has not seen dies with the master
            os.kill(watched.servers[0].pid or 0, signal.SIGKILL)
            (refused,) = await log.append([Append(address("other"), b"to nobody")])
            for seq in range(10, 20):
                recorder.record(sampled(seq))
        async with log:
            (told,) = await replay(log, [ORDER])
        with redis.Redis.from_url(watched.servers[1].url) as admin:
            assert admin.info("replication")["role"] == "master"

    assert isinstance(refused, NotAppended)
    assert isinstance(refused.error, StoreUnreachable)
    assert [event.envelope.seq for event in told.events] == list(range(20))


@pytest.mark.fault
async def test_a_master_that_became_a_replica_is_neither_written_to_nor_read_from(prefix: str) -> None:
    with Watched() as watched:
        log = RedisLog(watched.url, prefix=prefix)
        async with log:
            appended_ids(await log.append([Append(ORDER, b"before")]))
            assert payloads((await page_of(log, ORDER)).entries) == [b"before"]
            await anyio.to_thread.run_sync(swap, watched)
            refusals = 0
            with anyio.fail_after(30):
                while isinstance((await log.append([Append(ORDER, b"after")]))[0], NotAppended):
                    refusals += 1
                while not (entries := await entries_when_readable(log)):
                    pass

    assert refusals > 0
    assert entries == [b"before", b"after"]


async def entries_when_readable(log: RedisLog) -> list[bytes]:
    try:
        return payloads((await page_of(log, ORDER)).entries)
    except StoreError:
        return []


def swap(watched: Watched) -> None:
    """Master and replica change places, as sentinels would have it: whoever was connected is cut off."""
    with (
        redis.Redis.from_url(watched.servers[0].url) as master,
        redis.Redis.from_url(watched.servers[1].url) as replica,
        redis.Redis.from_url(watched.sentinels[0].url) as sentinel,
    ):
        assert master.wait(1, 10_000) == 1
        sentinel.execute_command("SENTINEL", "REMOVE", SERVICE)
        replica.replicaof("NO", "ONE")
        master.replicaof(HOST, port_of(watched.servers[1]))
        sentinel.execute_command("SENTINEL", "MONITOR", SERVICE, HOST, port_of(watched.servers[1]), 1)
        master.client_kill_filter(_type="normal", skipme=True)
