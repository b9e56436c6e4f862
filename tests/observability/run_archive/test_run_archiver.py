"""Moving runs out of a store and back: what is moved, when a week is forgotten, and that nothing is lost."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observability.run_archive.kept_runs import DAY, KeptRuns, kept_run, some_runs

from relayna.clock import FrozenClock
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.archive import ArchiveResult, UnreadableArchive
from relayna.observability.archive.lines import plain_lines
from relayna.observability.run_archive import RunArchiveFolder, RunArchiver, RunImporter
from relayna.observability.run_archive.lines import read_lines
from relayna.observability.run_records.retention import RunRetention
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.run_records import WEEK_MICROS, RunRecords, StoredRun

pytestmark = pytest.mark.anyio

WEEK = 2_900
NOW = Instant((WEEK + 20) * WEEK_MICROS)
OVER, YOUNG = NOW - DAY, NOW + DAY
RETENTION = RunRetention(days=90)


def archiver(records: RunRecords, folder: Path, *, began_before: Instant | None = None) -> RunArchiver:
    return RunArchiver(
        records,
        RunArchiveFolder(folder),
        tenant=DEFAULT_TENANT,
        retention=RETENTION,
        began_before=began_before,
        clock=FrozenClock(NOW),
    )


def importer(records: RunRecords, *, seconds_later: int = 0) -> RunImporter:
    clock = FrozenClock(NOW)
    clock.advance(seconds_later)
    return RunImporter(records, retention=RETENTION, clock=clock)


def file_of(folder: Path) -> Path:
    return RunArchiveFolder(folder).path_of(DEFAULT_TENANT, WEEK)


async def bring_back(records: RunRecords, path: Path, *, seconds_later: int = 0) -> tuple[int, int, int]:
    """Import a file: how many came, were known, could not be read."""
    importing = importer(records, seconds_later=seconds_later)
    with path.open("rb") as file:
        await importing.take(plain_lines(file), source=path.name)
    return importing.report.runs, importing.report.known, importing.report.unreadable


async def test_what_is_over_is_moved_and_again_changes_nothing(tmp_path: Path) -> None:
    runs = [kept_run("a", expires_at=OVER), kept_run("b", expires_at=OVER)]
    other = kept_run("c", tenant=Tenant("other"), expires_at=OVER)
    records = KeptRuns([*runs, other])
    first = await archiver(records, tmp_path).archive(WEEK)
    assert (first.runs, first.younger, first.result, first.forgotten) == (2, 0, ArchiveResult.WRITTEN, True)
    assert list(records.runs.values()) == [other]
    before = file_of(tmp_path).read_bytes()
    again = await archiver(records, tmp_path).archive(WEEK)
    assert (again.runs, again.result, again.forgotten) == (0, None, False)
    assert file_of(tmp_path).read_bytes() == before


async def test_a_week_stays_until_all_of_it_is_over(tmp_path: Path) -> None:
    young = kept_run("young", expires_at=YOUNG)
    records = KeptRuns([kept_run("a", expires_at=OVER), young])
    told = await archiver(records, tmp_path).archive(WEEK)
    assert (told.runs, told.younger, told.result, told.forgotten) == (1, 1, ArchiveResult.WRITTEN, False)
    assert len(records.runs) == 2
    assert [run.address.task_id for run in read_lines(file_of(tmp_path))] == ["a"]
    assert (await archiver(records, tmp_path).archive(WEEK)).result is ArchiveResult.UNCHANGED
    at_once = await archiver(records, tmp_path, began_before=Instant(young.began + 1)).archive(WEEK)
    assert (at_once.runs, at_once.result, at_once.forgotten) == (2, ArchiveResult.EXTENDED, True)


async def test_only_weeks_that_may_be_over_are_looked_at(tmp_path: Path) -> None:
    records = KeptRuns([kept_run("a", week=week) for week in (WEEK, WEEK + 7, WEEK + 8, WEEK + 20)])
    assert await archiver(records, tmp_path).weeks() == [WEEK, WEEK + 7]
    everything = archiver(records, tmp_path, began_before=Instant(NOW + WEEK_MICROS))
    assert await everything.weeks() == [WEEK, WEEK + 7, WEEK + 8, WEEK + 20]


async def test_a_dry_run_does_nothing(tmp_path: Path) -> None:
    records = KeptRuns([kept_run("a", expires_at=OVER), kept_run("b", expires_at=YOUNG)])
    told = await archiver(records, tmp_path).archive(WEEK, dry_run=True)
    assert (told.runs, told.younger, told.result, told.forgotten) == (1, 1, None, False)
    assert os.listdir(tmp_path) == []
    assert len(records.runs) == 2


class BusyRuns(KeptRuns):
    """Somebody writes one more run after the first walk."""

    walks = 0

    async def between(self, tenant: Tenant, since: Instant, until: Instant) -> AsyncIterator[StoredRun]:
        self.walks += 1
        if self.walks == 2:
            self.put([kept_run("late", expires_at=OVER)])
        async for run in super().between(tenant, since, until):
            yield run


async def test_what_was_written_meanwhile_is_not_forgotten(tmp_path: Path) -> None:
    records = BusyRuns([kept_run("a", expires_at=OVER)])
    told = await archiver(records, tmp_path).archive(WEEK)
    assert (told.runs, told.forgotten, len(records.runs)) == (1, False, 2)
    again = await archiver(records, tmp_path).archive(WEEK)
    assert (again.result, again.forgotten) == (ArchiveResult.EXTENDED, True)
    assert [run.address.task_id for run in read_lines(file_of(tmp_path))] == ["a", "late"]


class LateRuns(KeptRuns):
    """Somebody writes a run anew just before its week is forgotten."""

    async def forget(
        self, tenant: Tenant, week: int, *, only: Callable[[StoredRun], bool] | None = None
    ) -> bool:
        self.put([kept_run("a", expires_at=OVER + 1, data=b"more")])
        return await super().forget(tenant, week, only=only)


async def test_what_is_written_just_before_its_week_is_forgotten_stays(tmp_path: Path) -> None:
    records = LateRuns([kept_run("a", expires_at=OVER)])
    told = await archiver(records, tmp_path).archive(WEEK)
    assert (told.result, told.forgotten) == (ArchiveResult.WRITTEN, False)
    assert [run.data for run in records.runs.values()] == [b"more"]
    again = await archiver(records, tmp_path).archive(WEEK)
    assert (again.result, again.forgotten) == (ArchiveResult.EXTENDED, True)
    assert [run.data for run in read_lines(file_of(tmp_path))] == [b"more"]


async def test_nothing_is_forgotten_when_the_file_cannot_be_written(tmp_path: Path) -> None:
    records = KeptRuns([kept_run("a", expires_at=OVER)])
    file_of(tmp_path).write_bytes(b"no archive")
    with pytest.raises(UnreadableArchive):
        await archiver(records, tmp_path).archive(WEEK)
    assert len(records.runs) == 1
    assert os.listdir(tmp_path) == [file_of(tmp_path).name]
    full = tmp_path / "a file"
    full.write_bytes(b"")
    with pytest.raises(FileExistsError):
        await archiver(records, full).archive(WEEK)
    assert len(records.runs) == 1


@settings(max_examples=40)
@given(runs=st.lists(some_runs, max_size=10), waits=st.booleans())
async def test_there_and_back_is_the_same(runs: list[StoredRun], waits: bool) -> None:
    """Whatever was kept of a session is kept of it again, byte by byte; and it can be archived again."""
    records = KeptRuns(run for run in runs if run.began // WEEK_MICROS == WEEK)
    before = {key: (run.data, run.began, run.heading) for key, run in records.runs.items()}
    with TemporaryDirectory() as name:
        folder = Path(name)
        if not before:
            assert await archiver(records, folder).weeks() == []
            return
        await archiver(records, folder).archive(WEEK)
        assert records.runs == {}
        written = file_of(folder).read_bytes()
        assert await bring_back(records, file_of(folder)) == (len(before), 0, 0)
        later = 89 * 86_400 if waits else 0
        assert await bring_back(records, file_of(folder), seconds_later=later) == (0, len(before), 0)
        assert {key: (run.data, run.began, run.heading) for key, run in records.runs.items()} == before
        assert all(0 <= run.expires_at - NOW - 90 * DAY < DAY for run in records.runs.values())
        far = Instant(NOW + WEEK_MICROS)
        assert (await archiver(records, folder, began_before=far).archive(WEEK)).forgotten
        assert file_of(folder).read_bytes() == written
