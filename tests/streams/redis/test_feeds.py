"""Several feeds at one look, as each of them would be read alone."""

from __future__ import annotations

import pytest
from servers import StoreUnderTest
from streams.log_harness import address, appended_ids
from streams.redis_harness import log_on

from relayna.errors import LogNotOpen, StoreRefused
from relayna.streams.log import START, Append
from relayna.streams.redis.feeds import read_feeds

pytestmark = pytest.mark.anyio


async def test_they_are_read_from_their_positions_on(store: StoreUnderTest) -> None:
    async with log_on(store) as log:
        for number in range(40):
            appended_ids(await log.append([Append(address(f"t{number}"), b"x")]))
        whole = await read_feeds(log, dict.fromkeys(range(4), START), limit=100)
        assert whole == {shard: await log.read_feed(shard) for shard in range(4)}
        assert sum(map(len, whole.values())) == 40
        positions = {shard: references[2].stream_id for shard, references in whole.items()}
        assert await read_feeds(log, positions, limit=2) == {
            shard: references[2:4] for shard, references in whole.items()
        }
        assert await read_feeds(log, {}, limit=2) == {}


async def test_what_fails_is_told(any_store: StoreUnderTest) -> None:
    log = log_on(any_store)
    with pytest.raises(LogNotOpen):
        await read_feeds(log, {0: START}, limit=1)
    async with log:
        any_store.admin.set(log.keys.feed(0), "not a stream", ex=60)
        with pytest.raises(StoreRefused):
            await read_feeds(log, {0: START, 1: START}, limit=1)
