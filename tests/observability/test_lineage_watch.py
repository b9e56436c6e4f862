"""The watch over births: names a run within one look, says each alarm once, and survives whatever happens to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from observability.recorded_run_steps import edge_to, recorded, some_run, unreadable
from observability.run_archive.kept_runs import KeptRuns

from relayna.clock import FrozenClock
from relayna.errors import StoreUnreachable
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.lineage_watch import LineageWatch
from relayna.observability.metrics import PrometheusMeasures
from relayna.projections.lineage.edge_failure_windows import FailureWindowTerms
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.run_records import RunRecords, StoredRun

pytestmark = pytest.mark.anyio

FAILURES = "relayna_lineage_emission_failures_total"
WITHOUT_BIRTH = "relayna_lineage_runs_without_birth"
SUSTAINED = "relayna_lineage_edge_failures_sustained"
SECOND = 1_000_000


class World:
    """Records, measures and a clock that a watch stands on."""

    def __init__(self, records: RunRecords | None = None) -> None:
        self.records = KeptRuns()
        self.clock = FrozenClock()
        self.measures = PrometheusMeasures(clock=self.clock)
        self.watch = LineageWatch(
            records or self.records,
            tenants=[DEFAULT_TENANT],
            measures=self.measures,
            failure_terms=FailureWindowTerms(bad_in_a_row=2, window_seconds=60),
            clock=self.clock,
        )

    def began(
        self, run_id: str, *, seconds_ago: float = 1, born: bool = False, tenant: str = "default"
    ) -> None:
        """A run begins, born of something or of nothing."""
        run = some_run(run_id, Instant(self.clock.now() - round(seconds_ago * SECOND)))
        edge = edge_to(run, "user_start") if born else edge_to(run, "span_tree_fallback", "P")
        self.records.put([recorded(run, [edge], tenant=Tenant(tenant))])

    def value(self, name: str, **labels: str) -> float | None:
        found = self.measures.registry.get_sample_value(name, labels)
        return None if found is None else float(found)


async def test_one_look_names_a_run_that_nothing_led_to(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    assert world.value(WITHOUT_BIRTH) is None
    world.began("R1", born=True)
    world.began("R2")
    world.began("long-ago", seconds_ago=4_000)
    found = await world.watch.check()
    assert [run.run_id for run in found.without_birth] == ["R2"]
    [record] = caplog.records
    assert "MissingInboundEdge" in record.getMessage()
    assert "'R2' of session 'S' by 'clerk', which names 'P' as its parent" in record.getMessage()
    assert (world.value(WITHOUT_BIRTH), world.value(SUSTAINED)) == (1, 0)


async def test_it_is_said_once_and_measured_for_as_long_as_it_is_so(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.began("R")
    for _ in range(3):
        await world.watch.check()
    assert len(caplog.records) == 1
    world.clock.advance(3_600)
    assert (await world.watch.check()).without_birth == []
    assert world.value(WITHOUT_BIRTH) == 0


async def test_a_birth_that_was_told_late_ends_it() -> None:
    world = World()
    world.began("R")
    assert len((await world.watch.check()).without_birth) == 1
    world.records.runs.clear()
    world.began("R", born=True)
    assert (await world.watch.check()).without_birth == []


async def test_many_are_counted_and_some_are_named(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    for number in range(13):
        world.began(f"R{number:02}", seconds_ago=20 - number)
    assert len((await world.watch.check()).without_birth) == 13
    assert "'R09'" in caplog.text
    assert "'R10'" not in caplog.text
    assert "and 3 more" in caplog.text


async def test_tenants_are_looked_at_that_somebody_asked_of() -> None:
    world = World()
    world.began("R", tenant="other")
    assert (await world.watch.check()).without_birth == []
    world.watch.include(Tenant("other"))
    assert [run.run_id for run in (await world.watch.check()).without_birth] == ["R"]


async def test_a_record_that_cannot_be_read_is_counted_once_and_keeps_nobody_from_the_rest() -> None:
    world = World()
    world.records.put([unreadable(some_run("damaged", world.clock.now()))])
    world.began("R")
    for _ in range(2):
        assert [run.run_id for run in (await world.watch.check()).without_birth] == ["R"]
    assert world.value(FAILURES, reason="unreadable") == 1


async def test_failures_that_go_on_are_said_once_and_are_over_after_a_clean_window(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="relayna.lineage")
    world = World()
    stood = []
    for failures in (1, 3, 1, 0, 0):
        world.measures.increment(FAILURES, failures, reason="second_birth")
        await world.watch.check()
        world.clock.advance(60)
        stood.append((await world.watch.check()).sustained)
    assert stood == [False, True, True, False, False]
    assert world.value(SUSTAINED) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "EdgeFailuresSustained" in caplog.records[0].getMessage()


async def test_births_that_are_missing_again_and_again_are_failures_too() -> None:
    world = World()
    stood = []
    for number in range(3):
        world.began(f"R{number}")
        stood.append((await world.watch.check()).sustained)
        world.clock.advance(60)
    assert stood == [False, False, True]


async def test_one_run_that_stays_without_a_birth_is_one_failure() -> None:
    world = World()
    world.began("R")
    for _ in range(5):
        assert not (await world.watch.check()).sustained
        world.clock.advance(60)


class AwayRuns(KeptRuns):
    """Raises what it is told to."""

    error: Exception | None = None

    async def between(self, tenant: Tenant, since: Instant, until: Instant) -> AsyncIterator[StoredRun]:
        if self.error is not None:
            raise self.error
        async for run in super().between(tenant, since, until):
            yield run


async def test_a_store_that_is_away_is_a_failure_and_what_was_found_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = AwayRuns()
    world = World(records)
    world.records = records
    world.began("R")
    await world.watch.check()
    records.error = StoreUnreachable("redis://nowhere", "nobody answers")
    for _ in range(2):
        assert [run.run_id for run in (await world.watch.check()).without_birth] == ["R"]
    assert world.value(FAILURES, reason="store") == 2
    assert caplog.text.count("until the store answers") == 1


async def test_while_it_runs_nothing_stops_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "true")
    records = AwayRuns()
    records.error = RuntimeError("a mistake")
    world = World(records)
    world.records = records
    world.began("R")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.watch.run)
        await anyio.wait_all_tasks_blocked()
        assert world.value(FAILURES, reason="failed") == 1
        assert "a mistake" in caplog.text
        records.error = None
        world.clock.advance(60)
        await anyio.wait_all_tasks_blocked()
        assert world.value(WITHOUT_BIRTH) == 1
        tasks.cancel_scope.cancel()


async def test_it_looks_only_while_lineage_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAYNA_LINEAGE_READ", raising=False)
    world = World()
    world.began("R")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.watch.run)
        await anyio.wait_all_tasks_blocked()
        assert world.value(WITHOUT_BIRTH) is None
        monkeypatch.setenv("RELAYNA_LINEAGE_READ", "1")
        world.clock.advance(60)
        await anyio.wait_all_tasks_blocked()
        assert world.value(WITHOUT_BIRTH) == 1
        monkeypatch.setenv("RELAYNA_LINEAGE_READ", "0")
        world.clock.advance(60)
        await anyio.wait_all_tasks_blocked()
        assert world.value(WITHOUT_BIRTH) is None
        tasks.cancel_scope.cancel()
