"""Tasks found by their keys, whatever their ids and prefixes are."""

from __future__ import annotations

import pytest
from servers import StoreUnderTest
from streams.log_harness import HOSTILE_TASK_IDS, address, appended_ids

from relayna.events import encode_frame
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.log import Append
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.scanning import stream_addresses

pytestmark = pytest.mark.anyio


async def test_every_task_of_every_tenant_is_found(store: StoreUnderTest) -> None:
    tasks = [address(task_id) for task_id in HOSTILE_TASK_IDS if "\ud800" not in task_id]
    tasks += [address(f"t{number}", "other") for number in range(700)]
    async with RedisLog(store.url, prefix=store.prefix, shard_count=4) as log:
        frames = [Append(task, encode_frame(task.task_id, None, 0, [])) for task in tasks]
        appended_ids(await log.append(frames))
        found = [one async for one in stream_addresses(log)]

    assert {one for one in found if isinstance(one, TaskAddress)} == set(tasks)
    assert [one for one in found if isinstance(one, str)] == []


async def test_a_prefix_is_no_pattern_and_what_is_none_of_ours_is_told(store: StoreUnderTest) -> None:
    prefix, other = f"{store.prefix}:a*[b]?\\", f"{store.prefix}:aXb"
    for name in (prefix, other):
        async with RedisLog(store.url, prefix=name, shard_count=4) as log:
            appended_ids(await log.append([Append(address("T"), b"x")]))
            store.admin.delete(log.keys.shards())
    odd = f"{prefix}:{{0}}:default~~{'a' * 64}:events"
    store.admin.xadd(odd, {"f": b"x"})
    store.admin.expire(odd, 60)
    async with RedisLog(store.url, prefix=prefix, shard_count=4) as log:
        found = [one async for one in stream_addresses(log)]
        store.admin.delete(log.keys.shards())

    assert sorted(map(str, found)) == sorted([str(address("T")), odd])


@pytest.mark.parametrize(
    "key", ["p:shards", "p:{1}:feed", "p:{1}:default~%FF:events", "p:{0}:default~T:events"]
)
def test_a_key_that_is_no_tasks_is_none(key: str) -> None:
    keys = KeyGrammar("p", 2)
    wrong_shard = keys.events(address("T")) != key
    assert (keys.address_in(key) is None) == wrong_shard
