"""What every implementation of run records does: the contract suite, run on memory and on real servers.

A test class inherits `RunRecordsContract` and has a fixture `harness` that gives a `RunRecordsHarness`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from streams.log_harness import HOSTILE_TASK_IDS, address
from streams.read_models_harness import DAY, NAIVE_TENANTS, NOW, SHARDS, Place, held, row_for

from relayna.errors import InvalidQuery
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.read_models import Lease, ReadModels
from relayna.streams.run_records import WEEK_MICROS, RunRecords, StoredRun, week_of

__all__ = ["RunPlace", "RunRecordsContract", "RunRecordsHarness", "keep_runs", "run_for"]

DEFAULT, OTHER = NAIVE_TENANTS
HEX = "00112233445566778899aabbccddeeff"
UUID = "00112233-4455-6677-8899-aabbccddeeff"

KEPT = 9_000 * DAY
"""Servers have a clock of their own."""

one_place = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class RunPlace(Struct, frozen=True):
    """Read models, and the run records that are written with their rows."""

    place: Place
    records: RunRecords

    @property
    def models(self) -> ReadModels:
        return self.place.models


class RunRecordsHarness(Protocol):
    """A place for run records, and how time passes there."""

    def open(self, *, shard_count: int = SHARDS) -> AbstractAsyncContextManager[RunPlace]:
        """Everything under one test's prefix, the same each time."""

    async def run_out(self, lease: Lease) -> None:
        """Let the lease's time pass."""


def run_for(
    task: str | TaskAddress,
    *,
    session_id: str = "S",
    began: int = NOW,
    kept: int = KEPT,
    data: bytes = b"data",
    heading: int = 0,
) -> StoredRun:
    """A record with everything said that a test does not care about."""
    return StoredRun(
        address=address(task) if isinstance(task, str) else task,
        session_id=session_id,
        began=Instant(began),
        expires_at=Instant(began + kept),
        data=data,
        heading=heading,
    )


async def keep_runs(where: RunPlace, runs: Sequence[StoredRun]) -> None:
    """Write these records with their rows."""
    shard_of = where.place.log.keys.shard_of
    for shard, lease in (await held(where.place)).items():
        rows = [
            replace(row_for(run.address, data=run.data), run=run)
            for run in runs
            if shard_of(run.address) == shard
        ]
        assert await where.models.store(lease, rows=rows) == "stored"


async def all_of(where: RunPlace, tenant: Tenant = DEFAULT) -> list[StoredRun]:
    every = where.records.between(tenant, Instant(-(2**62)), Instant(2**62))
    return sorted([run async for run in every], key=lambda run: (run.began, run.address.task_id))


_ids = st.sampled_from(
    [*HOSTILE_TASK_IDS, HEX, UUID, HEX.upper(), "\0" * 16, bytes.fromhex(HEX).decode("latin-1"), "y" * 3_000]
)
_runs = st.builds(
    StoredRun,
    address=st.builds(TaskAddress, _ids.map(TaskId), st.sampled_from(NAIVE_TENANTS)),
    session_id=_ids | st.just(""),
    began=st.sampled_from([-DAY, 0, NOW, NOW + 1, NOW + 20 * DAY, 253_402_300_799_999_999]).map(Instant),
    expires_at=st.sampled_from([NOW + KEPT, NOW + KEPT + 1, NOW + KEPT + DAY]).map(Instant),
    data=st.binary(max_size=20) | st.sampled_from([b"x" * size for size in (50, 60, 64, 500, 2_000)]),
    heading=st.integers(0, 20),
)


class WritingContract:
    """Records are written with their rows, and come back as they were."""

    @one_place
    @given(runs=st.lists(_runs, max_size=12, unique_by=lambda run: run.address))
    async def test_records_come_back_as_they_were(
        self, harness: RunRecordsHarness, runs: list[StoredRun]
    ) -> None:
        async with harness.open() as where:
            for tenant in NAIVE_TENANTS:
                for week in await where.records.weeks(tenant):
                    await where.records.forget(tenant, week)
            await keep_runs(where, runs)
            for tenant in NAIVE_TENANTS:
                mine = [run for run in runs if run.address.tenant == tenant]
                order = sorted(mine, key=lambda run: (run.began, run.address.task_id))
                assert list(map(_plain, await all_of(where, tenant))) == list(map(_plain, order))
                assert await where.records.weeks(tenant) == sorted({week_of(run.began) for run in mine})
                for session_id in {run.session_id for run in mine}:
                    found = await where.records.of_session(tenant, session_id)
                    assert [run.address for run in found] == [
                        run.address for run in order if run.session_id == session_id
                    ]
            for run in runs:
                assert _plain(await where.records.of_run(run.address)) == _plain(run)

    async def test_nothing_written_is_nothing_found(self, harness: RunRecordsHarness) -> None:
        async with harness.open() as where:
            assert await where.records.of_session(DEFAULT, "S") == []
            assert await where.records.of_run(address("t")) is None
            assert await where.records.weeks(DEFAULT) == []
            assert await all_of(where) == []
            await where.records.restore([])
            await where.records.forget(DEFAULT, 3)

    async def test_a_row_does_not_say_its_record(self, harness: RunRecordsHarness) -> None:
        async with harness.open() as where:
            await keep_runs(where, [run_for("t")])
            assert await where.models.rows([address("t")]) == [row_for("t")]

    async def test_a_record_written_anew_is_there_once(self, harness: RunRecordsHarness) -> None:
        versions = [
            run_for("t", session_id="S", data=b"x" * 200),
            run_for("t", session_id="S", data=b"short", kept=KEPT + DAY),
            run_for("t", session_id="other", data=b"y" * 100),
            run_for("t", session_id="other", began=NOW - 30 * DAY),
        ]
        async with harness.open() as where:
            for run in versions:
                await keep_runs(where, [run])
                assert await all_of(where) == [run]
                assert await where.records.of_session(DEFAULT, run.session_id) == [run]
            assert await where.records.of_session(DEFAULT, "S") == []

    async def test_what_many_begin_with_alike_comes_back_with_each(self, harness: RunRecordsHarness) -> None:
        runs = [
            run_for(
                f"t{n:03}", data=b"agent %d; " % (n % 300) + b"%d" % n, heading=len(b"agent %d; " % (n % 300))
            )
            for n in range(400)
        ]
        async with harness.open(shard_count=1) as where:
            await keep_runs(where, runs)
            assert await where.records.of_session(DEFAULT, "S") == runs

    async def test_what_becomes_of_the_row_leaves_the_record_alone(self, harness: RunRecordsHarness) -> None:
        async with harness.open(shard_count=1) as where:
            await keep_runs(where, [run_for("t"), run_for("u")])
            lease = (await held(where.place))[0]
            assert await where.models.store(lease, removed=[address("t")]) == "stored"
            assert await where.models.store(lease, rows=[row_for("u", data=b"new")]) == "stored"
            assert await all_of(where) == [run_for("t"), run_for("u")]
            moved = run_for("u", session_id="other", began=NOW - 10 * DAY)
            await keep_runs(where, [moved])
            assert await all_of(where) == [moved, run_for("t")]
            assert await where.models.clear(lease) == "stored"
            assert await all_of(where) == [moved, run_for("t")]

    async def test_a_run_heard_of_again_shows_its_newest_record(self, harness: RunRecordsHarness) -> None:
        again = run_for("t", began=NOW + 100 * DAY)
        async with harness.open(shard_count=1) as where:
            await keep_runs(where, [run_for("t")])
            assert await where.models.store((await held(where.place))[0], removed=[address("t")]) == "stored"
            await keep_runs(where, [again])
            assert await where.records.of_run(address("t")) == again
            assert again in await where.records.of_session(DEFAULT, "S")

    async def test_a_run_heard_of_again_before_its_row_went_keeps_its_first_record(
        self, harness: RunRecordsHarness
    ) -> None:
        again = run_for("t", began=NOW + 10 * DAY)
        async with harness.open() as where:
            await keep_runs(where, [run_for("t")])
            await keep_runs(where, [again])
            await keep_runs(where, [replace(again, data=b"more")])
            assert await where.records.of_session(DEFAULT, "S") == [
                run_for("t"),
                replace(again, data=b"more"),
            ]

    async def test_who_lost_its_lease_writes_no_record(self, harness: RunRecordsHarness) -> None:
        async with harness.open(shard_count=1) as where:
            (lease,) = (await held(where.place)).values()
            await harness.run_out(lease)
            assert (
                await where.models.store(lease, rows=[replace(row_for("t"), run=run_for("t"))])
                == "lease_lost"
            )
            assert await all_of(where) == []

    async def test_a_record_of_another_task_is_refused(self, harness: RunRecordsHarness) -> None:
        async with harness.open(shard_count=1) as where:
            (lease,) = (await held(where.place)).values()
            with pytest.raises(InvalidQuery, match="'t' has the run record of 'u'"):
                await where.models.store(lease, rows=[replace(row_for("t"), run=run_for("u"))])


class KeepingContract:
    """Weeks, archives, and what is forgotten."""

    async def test_between_is_by_when_they_began(self, harness: RunRecordsHarness) -> None:
        runs = [run_for(f"t{n}", began=NOW + n * WEEK_MICROS // 2) for n in range(6)]
        async with harness.open() as where:
            await keep_runs(where, runs)
            found = where.records.between(DEFAULT, runs[1].began, runs[4].began)
            assert sorted([run.address.task_id async for run in found]) == ["t1", "t2", "t3"]

    async def test_a_week_is_forgotten_as_a_whole(self, harness: RunRecordsHarness) -> None:
        runs = [run_for(f"t{n}", began=NOW + n // 20 * WEEK_MICROS) for n in range(60)]
        theirs = run_for(TaskAddress(TaskId("t0"), OTHER))
        async with harness.open() as where:
            await keep_runs(where, [*runs, theirs])
            await where.records.forget(DEFAULT, week_of(runs[20].began))
            assert await where.records.weeks(DEFAULT) == [week_of(runs[0].began), week_of(runs[-1].began)]
            assert {run.address for run in await all_of(where)} == {
                run.address for run in runs[:20] + runs[40:]
            }
            assert await all_of(where, OTHER) == [theirs]
            await keep_runs(where, runs[20:40])
            assert {run.address for run in await all_of(where)} == {run.address for run in runs}

    async def test_a_week_with_a_record_that_may_not_go_keeps_it(self, harness: RunRecordsHarness) -> None:
        runs = [run_for(f"t{n}", data=b"x" * 200) for n in range(20)]
        week = week_of(Instant(NOW))
        async with harness.open() as where:
            await keep_runs(where, runs)
            assert not await where.records.forget(DEFAULT, week, only=lambda run: run != runs[7])
            assert runs[7] in await all_of(where)
            await keep_runs(where, runs)
            assert await where.records.forget(DEFAULT, week, only=runs.__contains__)
            assert await all_of(where) == []

    async def test_an_archive_comes_back_and_takes_nothing_newer_away(
        self, harness: RunRecordsHarness
    ) -> None:
        old = [run_for(f"t{n:03}", data=b"old" + b"x" * n) for n in range(250)]
        newer = [run_for(run.address, kept=KEPT + DAY, data=b"newer") for run in old[:3]]
        async with harness.open() as where:
            await keep_runs(where, newer)
            await where.records.restore([*old, old[7]])
            await where.records.restore(old)
            assert await where.records.of_session(DEFAULT, "S") == newer + old[3:]
            await where.records.forget(DEFAULT, week_of(Instant(NOW)))
            assert await all_of(where) == []
            await where.records.restore([*old, *newer])
            assert await where.records.of_session(DEFAULT, "S") == newer + old[3:]
            await where.records.restore(newer[:1])
            assert await all_of(where) == newer + old[3:]

    async def test_a_restored_record_may_be_written_anew(self, harness: RunRecordsHarness) -> None:
        async with harness.open() as where:
            await where.records.restore([run_for("t")])
            await keep_runs(where, [run_for("t", data=b"now")])
            assert await all_of(where) == [run_for("t", data=b"now")]


def _plain(run: StoredRun | None) -> StoredRun | None:
    """Without what a record begins with: no more than it has."""
    return run if run is None else replace(run, heading=min(run.heading, len(run.data)))


@pytest.mark.anyio
class RunRecordsContract(WritingContract, KeepingContract):
    """Inherited by one test class per implementation."""
