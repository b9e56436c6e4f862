"""What is found out about real servers, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from servers import StoreUnderTest
from streams.log_harness import ORDER, address, appended_ids

from relayna.errors import StoreUnreachable
from relayna.streams.log import Append
from relayna.streams.redis.inspection import inspect_store
from relayna.streams.redis.log import RedisLog

pytestmark = pytest.mark.anyio


@contextmanager
def user(store: StoreUnderTest, *rules: str) -> Iterator[str]:
    """A user who may do only this; the URL by which it connects."""
    name = f"user-{store.prefix}"
    store.admin.execute_command("ACL", "SETUSER", name, "reset", "on", ">word", f"~{store.prefix}:*", *rules)
    try:
        yield store.url.replace("redis://", f"redis://{name}:word@")
    finally:
        store.admin.execute_command("ACL", "DELUSER", name)


async def test_a_store_in_use(store: StoreUnderTest) -> None:
    async with RedisLog(store.url, prefix=store.prefix, shard_count=4, retention_seconds=100) as log:
        appended_ids(await log.append([Append(ORDER, b"x"), Append(address("other"), b"x")]))
        found = await inspect_store(log)

    assert (found.refused, found.shard_count, found.any_feed) == ([], "4", True)
    assert len(found.streams) == 2
    for stream in found.streams:
        assert stream.ends_ms is not None
        assert stream.first_ms <= stream.last_ms < stream.ends_ms <= stream.last_ms + 100_000 + 5_000
    [server] = found.servers
    assert server.info["maxmemory_policy"] == "noeviction"
    assert server.clock_ms is not None


async def test_it_need_not_be_open_and_leaves_nothing_behind(store: StoreUnderTest) -> None:
    neighbour = f"{store.prefix}:neighbour"
    store.admin.set(f"{neighbour}:shards", 4)
    before = store.all_keys()
    found = await inspect_store(RedisLog(store.url, prefix=store.prefix, shard_count=4))
    after = store.all_keys()
    store.admin.delete(f"{neighbour}:shards")

    assert after == before
    assert (found.shard_count, found.any_feed, list(found.streams)) == (None, False, [])
    assert neighbour in found.other_prefixes or len(found.other_prefixes) == 5


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        (("+@all",), []),
        (("+@all", "-copy", "-rename"), ["COPY", "RENAME"]),
        (("+@all", "-xadd"), ["XADD"]),
        (("+@all", "-eval", "-evalsha"), ["EVALSHA", "EVAL"]),
        (("+@all", "-evalsha"), ["EVALSHA"]),
    ],
)
async def test_what_our_user_may_not_do(
    store: StoreUnderTest, rules: tuple[str, ...], refused: list[str]
) -> None:
    with user(store, *rules) as url:
        found = await inspect_store(RedisLog(url, prefix=store.prefix, shard_count=4))
    assert found.refused == refused


async def test_a_user_who_may_ask_little_is_told_little(store: StoreUnderTest) -> None:
    with user(store, "+hello", "+ping", "+evalsha", "+eval", "+get", "+exists") as url:
        found = await inspect_store(RedisLog(url, prefix=store.prefix, shard_count=4))
    assert (found.servers[0].info, found.servers[0].clock_ms) == ({}, None)
    assert found.refused is not None
    assert {"XADD", "INFO", "SCAN", "TIME"} <= set(found.refused)


async def test_keys_of_another_prefix_are_refused(store: StoreUnderTest) -> None:
    with user(store, "+@all") as url:
        found = await inspect_store(RedisLog(url, prefix="elsewhere", shard_count=4))
    assert found.refused is not None
    assert {"XADD", "XRANGE", "GET", "EVALSHA"} <= set(found.refused)
    assert "PING" not in found.refused


async def test_nobody_to_ask() -> None:
    with pytest.raises(StoreUnreachable):
        await inspect_store(RedisLog("redis://127.0.0.1:1/0"))
