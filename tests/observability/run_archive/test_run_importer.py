"""Bringing runs back: once, into what is there already, and from files that are damaged."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable

import pytest
from observability.run_archive.kept_runs import DAY, KeptRuns, kept_run

from relayna.clock import FrozenClock
from relayna.instants import Instant
from relayna.observability.archive.lines import plain_lines
from relayna.observability.run_archive import RunImporter, RunImportReport
from relayna.observability.run_archive.lines import run_line
from relayna.observability.run_records.retention import RunRetention
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.run_records import WEEK_MICROS

pytestmark = pytest.mark.anyio

NOW = Instant(2_950 * WEEK_MICROS)


async def brought(records: KeptRuns, lines: Iterable[bytes]) -> RunImportReport:
    importer = RunImporter(records, retention=RunRetention(days=1), clock=FrozenClock(NOW))
    await importer.take(lines, source="archive")
    return importer.report


async def test_what_is_there_and_newer_stays() -> None:
    newer = kept_run("a", expires_at=6, data=b"newer")
    records = KeptRuns([newer, kept_run("b", expires_at=4, data=b"older")])
    lines = [run_line(kept_run(name, expires_at=5, data=b"archived")) for name in ("a", "b", "c")]
    report = await brought(records, lines)
    assert (report.runs, report.known, report.unreadable) == (2, 1, 0)
    found = {run.address.task_id: run.data for run in await records.of_session(DEFAULT_TENANT, "S")}
    assert found == {"a": b"newer", "b": b"archived", "c": b"archived"}
    assert (await brought(records, lines)).known == 3


async def test_a_run_that_is_told_twice_is_brought_once() -> None:
    records = KeptRuns()
    lines = [run_line(kept_run("a", expires_at=at, data=data)) for at, data in ((5, b"new"), (4, b"old"))]
    report = await brought(records, lines)
    assert (report.runs, report.known) == (1, 1)
    [run] = records.runs.values()
    assert (run.data, 0 <= run.expires_at - NOW - DAY < DAY) == (b"new", True)


async def test_damaged_lines_are_told_and_the_rest_imported() -> None:
    records = KeptRuns()
    lines = [b'{"relayna":"archived_runs","version":1}', b"{}", run_line(kept_run("a")), b"", b"\xff", b"[]"]
    report = await brought(records, lines)
    assert (report.runs, report.unreadable) == (1, 3)
    assert [problem.partition(": ")[0] for problem in report.problems] == [
        "archive:2",
        "archive:5",
        "archive:6",
    ]
    many = await brought(records, [b"?"] * 100)
    assert (many.unreadable, len(many.problems)) == (100, 20)


async def test_of_a_file_that_ends_early_what_came_before_is_imported() -> None:
    lines = [run_line(kept_run(f"run-{number}", data=bytes(range(256)))) + b"\n" for number in range(400)]
    whole = gzip.compress(b"".join(lines), mtime=0)
    cut = io.BufferedReader(io.BytesIO(whole[: len(whole) // 2]))
    records = KeptRuns()
    report = await brought(records, plain_lines(cut))
    assert report.unreadable == 1
    assert 0 < report.runs == len(records.runs) < 400


async def test_of_a_newer_version_nothing_is_guessed() -> None:
    records = KeptRuns()
    report = await brought(
        records, [b'{"relayna":"archived_runs","version":2}', b'{"relayna":"archived_run"}']
    )
    assert (report.runs, report.unreadable, records.runs) == (0, 2, {})
