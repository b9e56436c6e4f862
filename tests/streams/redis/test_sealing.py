"""Sealing on real servers: less memory, and nothing else changed."""

from __future__ import annotations

import anyio
import pytest
from servers import StoreUnderTest
from streams.log_harness import ORDER, address, appended_ids, frames, page_of, payloads

from relayna.streams.log import Append, StreamRange
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.sealing import LARGEST_SEALED, SealResult, seal_streams

pytestmark = pytest.mark.anyio


def log_on(store: StoreUnderTest) -> RedisLog:
    return RedisLog(store.url, prefix=store.prefix, shard_count=4)


async def test_an_eight_event_task_takes_less_memory_and_says_the_same(store: StoreUnderTest) -> None:
    async with log_on(store) as log:
        key = log.keys.events(ORDER)
        for number in range(8):
            appended_ids(await log.append([Append(ORDER, b"%d" % number * 150, "ended")]))
        store.admin.xtrim(key, maxlen=6, approximate=False)
        before, used_before = await page_of(log, ORDER), store.admin.memory_usage(key)
        results = await seal_streams(log, [ORDER], quiet_seconds=0)
        after, used_after = await page_of(log, ORDER), store.admin.memory_usage(key)

    assert results == [SealResult.SEALED]
    assert used_before is not None
    assert used_after is not None
    assert used_after < 0.6 * used_before
    assert after.entries == before.entries
    assert (after.state.length, after.state.entries_added) == (6, 8)
    assert after.state.last_id == before.state.last_id
    assert after.state.expires_in_ms is not None
    assert before.state.expires_in_ms is not None
    assert 0 <= before.state.expires_in_ms - after.state.expires_in_ms < 60_000


async def test_a_sealed_stream_takes_appends_and_may_be_sealed_again(store: StoreUnderTest) -> None:
    async with log_on(store) as log:
        appended_ids(await log.append(frames(ORDER, 0, 3)))
        for number in (3, 4):
            assert await seal_streams(log, [ORDER, ORDER], quiet_seconds=0) == [SealResult.SEALED] * 2
            appended_ids(await log.append(frames(ORDER, number, number + 1)))
        page = await page_of(log, ORDER)

    assert payloads(page.entries) == [b"0", b"1", b"2", b"3", b"4"]
    assert page.state.entries_added == 5
    assert not [key for key in store.all_keys() if key.endswith(":sealing")]


async def test_what_is_not_sealed(store: StoreUnderTest) -> None:
    busy, large, odd, emptied = (address(name) for name in ("busy", "large", "odd", "emptied"))
    async with log_on(store) as log:
        appended_ids(await log.append(frames(large, 0, LARGEST_SEALED + 1) + frames(emptied, 0, 1)))
        store.admin.xtrim(log.keys.events(emptied), maxlen=0, approximate=False)
        store.admin.set(log.keys.events(odd), "not a stream", ex=60)
        results = await seal_streams(log, [large, odd, emptied, address("absent")], quiet_seconds=0)
        appended_ids(await log.append(frames(busy, 0, 1)))
        results += await seal_streams(log, [busy], quiet_seconds=3_600)

    absent = SealResult.ABSENT
    assert results == [SealResult.LARGE, SealResult.FAILED, absent, absent, SealResult.BUSY]


async def test_nothing_is_lost_while_appends_go_on(store: StoreUnderTest) -> None:
    async with log_on(store) as log:

        async def write() -> None:
            for number in range(200):
                appended_ids(await log.append(frames(ORDER, number, number + 1)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            for _ in range(100):
                await seal_streams(log, [ORDER], quiet_seconds=0)
        (page,) = await log.read([StreamRange(address=ORDER)])

    assert payloads(page.entries) == [b"%d" % number for number in range(200)]
    assert page.state.entries_added == 200
