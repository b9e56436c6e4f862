"""All of a log under another prefix: what is there is brought once, whatever keys lie beside it."""

from __future__ import annotations

import pytest
from observability.archive.archive_steps import graphs_of, log_on, record_history
from servers import StoreUnderTest

from relayna.observability.archive import Importer
from relayna.observability.resharding import reshard
from relayna.streams.redis import RedisLog
from relayna.testing import history

pytestmark = pytest.mark.anyio


async def test_streams_are_brought_and_what_is_none_is_told(any_store: StoreUnderTest) -> None:
    new = RedisLog(any_store.url, prefix=f"{any_store.prefix}:new", shard_count=3)
    async with log_on(any_store) as old, new:
        tasks = await record_history(old, history("a/b").published().attempt().acked().events)
        odd = f"{any_store.prefix}:{{0}}:default~no-frame:events"
        any_store.admin.xadd(odd, {"f": b"?"})
        any_store.admin.expire(odd, 60)
        importer = Importer(new)
        brought = [task_id async for task_id in reshard(old, importer)]
        assert brought == tasks
        assert await graphs_of(new, tasks) == await graphs_of(old, tasks)
        assert (importer.report.tasks, importer.report.known) == (1, 0)
        assert [odd in line for line in importer.report.unreadable] == [True]
        again = Importer(new)
        assert [task_id async for task_id in reshard(old, again)] == tasks
        assert (again.report.frames, again.report.known) == (0, importer.report.frames)
    any_store.admin.delete(f"{any_store.prefix}:new:shards")
