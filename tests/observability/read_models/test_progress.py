"""How far behind read models are: told from the store, and not looked at too often."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from observability.read_models.indexed_world import memory_world, store_events

from relayna.clock import FrozenClock
from relayna.ids import StreamId
from relayna.observability.read_models import AsOf, ReadModelProgress
from relayna.observability.read_models.sources import MemorySource
from relayna.observability.read_models.terms import FOLD_VERSION
from relayna.streams import MemoryLog
from relayna.streams.log import FeedReference
from relayna.streams.read_models import Checkpoint
from relayna.testing import history

pytestmark = pytest.mark.anyio


class CountedSource(MemorySource):
    looks = 0

    async def feeds(self, positions: Mapping[int, StreamId], *, limit: int) -> dict[int, list[FeedReference]]:
        self.looks += 1
        return await super().feeds(positions, limit=limit)


async def test_it_looks_once_a_second_however_often_it_is_asked() -> None:
    world = memory_world()
    assert isinstance(world.clock, FrozenClock)
    assert isinstance(world.log, MemoryLog)
    source = CountedSource(world.log)
    progress = ReadModelProgress(log=world.log, read_models=world.models, source=source, clock=world.clock)
    for _ in range(5):
        await progress.as_of()
    assert source.looks == 1
    world.clock.advance(1)
    await progress.as_of()
    assert source.looks == 2


async def test_where_nothing_was_ever_recorded_nothing_is_missing() -> None:
    world = memory_world()
    assert await world.progress().as_of() == AsOf(as_of=world.clock.now(), lag_ms=0)


async def test_rows_of_another_version_are_not_counted_as_read() -> None:
    world = memory_world(shard_count=1)
    await store_events(world.log, history("T").published().events)
    (lease,) = await world.models.acquire([0], "me", seconds=60)
    await world.models.store(lease, checkpoint=Checkpoint(fold_version=FOLD_VERSION - 1))
    told = await world.progress().as_of()
    assert (told.as_of, told.lag_ms, told.shards_unread) == (None, None, 1)
    await world.models.store(lease, checkpoint=Checkpoint(fold_version=FOLD_VERSION))
    told = await world.progress().as_of()
    assert (told.lag_ms, told.shards_unread) == (0, 0)
    assert isinstance(world.clock, FrozenClock)
    world.clock.advance(7.5)
    assert (await world.progress().as_of()).lag_ms == 7_500
