"""The log on a real cluster: the contract of every log, at rest and while slots move, and what only a cluster does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import anyio
import anyio.to_thread
import pytest
from cluster_servers import ClusterUnderTest, Migration, slots_of
from servers import StoreUnderTest
from streams.log_contract import LogContract
from streams.log_harness import (
    OPEN_RETENTION_SECONDS,
    ORDER,
    RETENTION_SECONDS,
    address,
    appended_ids,
    payloads,
)
from streams.recording_steps import NOW, make_recorder, said, sampled, status
from streams.redis_harness import RedisHarness, log_on

from relayna.clock import SystemClock
from relayna.errors import StoreRefused
from relayna.events import TaskMessageAcked, TaskMessageReceived
from relayna.ids import StreamId
from relayna.instants import Instant
from relayna.mint import CountingMint
from relayna.observability import ExecutionGraphService
from relayna.streams import Durability, Recorder, replay
from relayna.streams.keys import TaskAddress
from relayna.streams.log import (
    PAGE_LIMIT,
    START,
    Append,
    Appended,
    AppendResult,
    FeedReference,
    NotAppended,
    StreamPage,
    StreamRange,
    StreamState,
)
from relayna.streams.redis.log import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.cluster]

SHARDS = 4


class TestAtRest(LogContract):
    @pytest.fixture
    def harness(self, cluster_store: StoreUnderTest) -> RedisHarness:
        return RedisHarness(cluster_store)


class MovingLog(RedisLog):
    """A log whose slots set out or arrive before each thing it is asked for.

    So every other question finds half of the keys on one master and half on another.
    """

    migration: Migration
    asked = 0

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        with self.moved():
            return await super().append(appends)

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        with self.moved():
            return await super().read(ranges)

    async def states(self, addresses: Sequence[TaskAddress]) -> list[StreamState]:
        with self.moved():
            return await super().states(addresses)

    async def changed(
        self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float
    ) -> set[TaskAddress]:
        with self.moved():
            return await super().changed(positions, wait_seconds=wait_seconds)

    async def read_feed(
        self, shard: int, *, after: StreamId = START, limit: int = PAGE_LIMIT
    ) -> list[FeedReference]:
        with self.moved():
            return await super().read_feed(shard, after=after, limit=limit)

    @contextmanager
    def moved(self) -> Iterator[None]:
        """Take a step, unless somebody is being answered."""
        if not self.asked:
            self.migration.advance()
        self.asked += 1
        try:
            yield
        finally:
            self.asked -= 1


class MovingHarness(RedisHarness):
    """Logs under one test's prefix, in slots that are on the move."""

    def __init__(self, store: StoreUnderTest, migration: Migration) -> None:
        super().__init__(store)
        self._migration = migration

    def log(
        self,
        *,
        shard_count: int = SHARDS,
        retention_seconds: int = RETENTION_SECONDS,
        open_retention_seconds: int = OPEN_RETENTION_SECONDS,
    ) -> MovingLog:
        log = MovingLog(
            self._store.url,
            prefix=self._store.prefix,
            shard_count=shard_count,
            retention_seconds=retention_seconds,
            open_retention_seconds=open_retention_seconds,
        )
        log.migration = self._migration
        return log


@pytest.fixture
def migration(cluster: ClusterUnderTest) -> Iterator[Migration]:
    """Of the slots that hold half of the shards; afterwards they rest."""
    migration = Migration(cluster, slots_of(SHARDS // 2))
    yield migration
    migration.rest()


class TestOnTheMove(LogContract):
    @pytest.fixture
    def harness(self, cluster_store: StoreUnderTest, migration: Migration) -> MovingHarness:
        return MovingHarness(cluster_store, migration)


class TestWhileSlotsMove:
    async def test_a_new_task_of_a_slot_on_its_way_is_recorded_with_its_reference(
        self, cluster_store: StoreUnderTest, migration: Migration
    ) -> None:
        tasks = [address(f"t{number}") for number in range(40)]
        async with log_on(cluster_store, shard_count=SHARDS) as log:
            appended_ids(await log.append([Append(task, b"before") for task in tasks[:20]]))
            migration.advance()
            appended_ids(await log.append([Append(task, b"during") for task in tasks]))
            pages = await log.read([StreamRange(address=task) for task in tasks])
            migration.advance()
            again = await log.read([StreamRange(address=task) for task in tasks])
            referred = [
                reference.address for shard in range(SHARDS) for reference in await log.read_feed(shard)
            ]

        assert [payloads(page.entries) for page in pages] == [[b"before", b"during"]] * 20 + [
            [b"during"]
        ] * 20
        assert [page.entries for page in again] == [page.entries for page in pages]
        assert sorted(referred, key=tasks.index) == sorted(tasks + tasks[:20], key=tasks.index)

    async def test_a_key_of_another_type_fails_its_own_frames_only(
        self, cluster_store: StoreUnderTest, migration: Migration
    ) -> None:
        async with log_on(cluster_store, shard_count=1) as log:
            cluster_store.admin.set(log.keys.events(ORDER), "not a stream", ex=60)
            migration.advance()
            results = await log.append([Append(address("other"), b"1"), Append(ORDER, b"2")])
            feed = await log.read_feed(0)

        match results:
            case [Appended(), NotAppended(StoreRefused() as error, outcome_unknown=False)]:
                assert error.problem.startswith("WRONGTYPE")
            case _:
                pytest.fail(f"unexpected results {results}")
        assert [reference.address for reference in feed] == [address("other")]

    async def test_nothing_is_lost_or_doubled_while_they_never_rest(
        self, cluster_store: StoreUnderTest, migration: Migration
    ) -> None:
        tasks, each = 40, 50
        done = anyio.Event()

        async def keep_moving() -> None:
            while not done.is_set() or migration.arrivals < 3 * SHARDS // 2:
                await anyio.to_thread.run_sync(migration.advance)

        log = log_on(cluster_store, shard_count=SHARDS)
        async with anyio.create_task_group() as group:
            group.start_soon(keep_moving)
            async with Recorder(log, mint=CountingMint(), close_deadline=30) as recorder:
                for seq in range(each):
                    for task in range(tasks):
                        recorder.record(sampled(seq, task=f"t{task}"))
                    assert await recorder.durable(budget_seconds=30) is Durability.STORED
            done.set()
        async with log:
            found = [
                [event.envelope.seq for event in read.events]
                for read in await replay(log, map(address, names(tasks)))
            ]
            frames = await log.read([StreamRange(address=address(name)) for name in names(tasks)])

        assert found == [list(range(each))] * tasks
        assert all(len(page.entries) == len({entry.payload for entry in page.entries}) for page in frames)


def names(tasks: int) -> list[str]:
    return [f"t{task}" for task in range(tasks)]


async def test_a_recorded_run_of_many_tasks_is_full_in_every_graph(cluster_store: StoreUnderTest) -> None:
    tasks = [f"t{number}" for number in range(200)]
    async with make_recorder(
        RedisLog(cluster_store.url, prefix=cluster_store.prefix), clock=SystemClock()
    ) as recorder:
        for task in tasks:
            recorder.record(said(TaskMessageReceived(), task=task, seq=0))
            for seq in range(1, 7):
                recorder.record(sampled(seq, task=task))
            recorder.record(status("processing", task=task))
            recorder.record(status("completed", task=task, timestamp=Instant(NOW + 1)))
            recorder.record(said(TaskMessageAcked(), task=task, seq=7))
        assert await recorder.durable(budget_seconds=30) is Durability.STORED

    async with RedisLog(cluster_store.url, prefix=cluster_store.prefix) as log:
        events = [read.events for read in await replay(log, [address(task) for task in tasks])]
        service = ExecutionGraphService(log=log)
        summaries = [(await service.get_graph(task)).summary for task in tasks]

    assert sum(map(len, events)) == 2_000
    assert {(summary.status, summary.graph_completeness) for summary in summaries} == {("completed", "full")}
