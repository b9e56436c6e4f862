"""How often agents' runs end well, over records in memory and in a real store: the same as counted at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from observability.recorded_run_steps import edge_to, recorded, some_run, unreadable
from observability.run_archive.kept_runs import KeptRuns
from servers import StoreUnderTest

from relayna.clock import SystemClock
from relayna.errors import InvalidQuery
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.reliability_service import ReliabilityService
from relayna.projections.lineage.reliability import agent_reliability
from relayna.projections.lineage.run_edges import RunLineage
from relayna.streams import MemoryLog
from relayna.streams.memory_run_records import MemoryRunRecords
from relayna.streams.redis import RedisLog
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.run_records import RunRecords

pytestmark = pytest.mark.anyio

HOUR = 3_600_000_000
NOW = SystemClock().now()
STATUSES = ("completed", "completed", "failed", "dead_lettered", "running", "cancelled")


@pytest.fixture(params=["memory", "server"])
async def records(request: pytest.FixtureRequest) -> AsyncIterator[RunRecords]:
    if request.param == "memory":
        async with MemoryLog():
            yield MemoryRunRecords()
        return
    store: StoreUnderTest = request.getfixturevalue("any_store")
    async with RedisLog(store.url, prefix=store.prefix, shard_count=4) as log:
        yield RedisRunRecords(log)


async def test_it_counts_what_began_within_the_window(records: RunRecords) -> None:
    runs = [
        some_run(
            f"R{number}", Instant(NOW - number * HOUR), agent=f"agent-{number % 3}", status=STATUSES[number % 6],
            session_id=f"S{number % 4}",
        )
        for number in range(40)
    ]  # fmt: skip
    edges = [edge_to(run, "spawn" if number % 2 else "user_start") for number, run in enumerate(runs)]
    await records.restore([recorded(run, [edge]) for run, edge in zip(runs, edges, strict=True)])
    await records.restore([recorded(runs[0], tenant=Tenant("other"))])
    service = ReliabilityService(records=records)
    for window, count in (("24h", 24), ("30m", 1), ("2w", 40)):
        told = await service.agents(window)
        since = Instant(NOW - (count - 1) * HOUR)
        lineage = RunLineage(runs={run.run_id: run for run in runs}, edges=edges)
        assert told.agents == agent_reliability(lineage, since=since)
        assert (told.runs, told.left_out, told.unreadable) == (count, 0, 0)


async def test_nothing_began(records: RunRecords) -> None:
    told = await ReliabilityService(records=records).agents()
    assert (told.agents, told.runs) == ([], 0)


async def test_what_cannot_be_read_is_counted_apart() -> None:
    records = KeptRuns([unreadable(some_run("damaged", NOW)), recorded(some_run("R", NOW))])
    told = await ReliabilityService(records=records).agents("1h")
    assert (told.runs, told.unreadable) == (1, 1)


@pytest.mark.parametrize(
    "window", ["", "24", "h", "0h", "-1h", "24 h", "1y", "24h\n", "367d", "999999999w", "\u0661h"]
)
async def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(InvalidQuery, match="window"):
        await ReliabilityService(records=KeptRuns()).agents(window)
