"""The sealer's walks: what is quiet is sealed once, what is not is left for later."""

from __future__ import annotations

import pytest
from servers import StoreUnderTest
from streams.log_harness import address, appended_ids

from relayna.observability.sealer import Sealer, SealReport
from relayna.streams.log import Append
from relayna.streams.redis.log import RedisLog

pytestmark = pytest.mark.anyio


async def test_each_stream_is_sealed_once_until_it_is_extended(any_store: StoreUnderTest) -> None:
    tasks = [address(f"t{number}") for number in range(30)]
    async with RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4) as log:
        sealer = Sealer(log, quiet_seconds=0)
        appended_ids(await log.append([Append(task, b"x" * 100) for task in tasks]))
        before = sum(any_store.admin.memory_usage(log.keys.events(task)) or 0 for task in tasks)
        first, again = await sealer.walk(), await sealer.walk()
        after = sum(any_store.admin.memory_usage(log.keys.events(task)) or 0 for task in tasks)
        appended_ids(await log.append([Append(tasks[0], b"y")]))
        extended = await sealer.walk()

    assert first == SealReport(sealed=30)
    assert after < before / 2
    assert (again, extended) == (SealReport(), SealReport(sealed=1))


async def test_what_is_young_waits_for_a_later_walk(any_store: StoreUnderTest) -> None:
    async with RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4) as log:
        appended_ids(await log.append([Append(address("young"), b"x")]))
        assert await Sealer(log, quiet_seconds=3_600).walk() == SealReport()
        assert await Sealer(log, quiet_seconds=0).walk() == SealReport(sealed=1)


async def test_what_expired_and_what_is_no_stream_is_passed_over(any_store: StoreUnderTest) -> None:
    gone, odd = address("gone"), address("odd")
    async with RedisLog(any_store.url, prefix=any_store.prefix, shard_count=1) as log:
        appended_ids(await log.append([Append(gone, b"x"), Append(odd, b"x")]))
        any_store.admin.delete(log.keys.events(gone))
        any_store.admin.set(log.keys.events(odd), "not a stream", ex=60)
        assert await Sealer(log, quiet_seconds=0).walk() == SealReport(passed_over=1, failed=1)
