"""What an operator does to a log, on a cluster: every master is asked, and each shard's keys are where it is."""

from __future__ import annotations

import gzip

import pytest
from servers import StoreUnderTest
from streams.log_harness import address, appended_ids

from relayna.events import encode_frame
from relayna.observability.archive import Importer, archive_bytes, read_task
from relayna.observability.checks import StoreHealth
from relayna.observability.sealer import Sealer, SealReport
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.scanning import stream_addresses

pytestmark = [pytest.mark.anyio, pytest.mark.cluster]

TASKS = [address(f"t{number}") for number in range(40)]


async def test_everything_of_three_masters_is_found_sealed_archived_and_checked(
    cluster_store: StoreUnderTest,
) -> None:
    async with RedisLog(cluster_store.url, prefix=cluster_store.prefix, shard_count=16) as log:
        frames = [Append(task, encode_frame(task.task_id, None, 0, []), "open") for task in TASKS]
        appended_ids(await log.append(frames))
        found = [one async for one in stream_addresses(log)]
        sealed = await Sealer(log, quiet_seconds=0).walk()
        archived = [archive_bytes(task) for one in TASKS if (task := await read_task(log, one))]
        report = await StoreHealth(log).report()

    assert {one for one in found if isinstance(one, TaskAddress)} == set(TASKS)
    assert (sealed, len(archived)) == (SealReport(sealed=40), 40)
    checks = {check.name: check for check in report.checks}
    assert checks["server_version"].found.startswith("3 of 3 servers: ")
    assert report.state != "failed"
    assert checks["rights"].state == checks["clock_skew"].state == checks["retention"].state == "ok"


async def test_streams_come_back_where_they_belong(cluster_store: StoreUnderTest) -> None:
    async with RedisLog(cluster_store.url, prefix=cluster_store.prefix, shard_count=16) as log:
        frames = [Append(task, encode_frame(task.task_id, None, 0, [])) for task in TASKS]
        appended_ids(await log.append(frames))
        before = [await read_task(log, task) for task in TASKS]
        for task in TASKS:
            cluster_store.admin.delete(log.keys.events(task))
        importer = Importer(log)
        for one in before:
            assert one is not None
            await importer.take(gzip.decompress(archive_bytes(one)).splitlines(), source="archive")
        after = [await read_task(log, task) for task in TASKS]

    assert after == before
    assert importer.report.frames == 40
