"""Brings archived runs back into a store. Adds what is not there; takes nothing away. Reads no files.

Owns what counts as being there already: a record of the run that is as new, or newer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from relayna.clock import Clock, SystemClock
from relayna.instants import UNTIMED, Instant
from relayna.observability.archive import UnreadableArchive
from relayna.observability.run_archive.lines import archived_run, is_head
from relayna.observability.run_records.retention import RunRetention
from relayna.streams.keys import TaskAddress
from relayna.streams.run_records import RunRecords, StoredRun, week_of

__all__ = ["RunImportReport", "RunImporter"]

_RUNS_AT_ONCE: Final = 50_000
"""What is there is looked at once for so many."""
_PROBLEMS_TOLD: Final = 20

RunKey: TypeAlias = tuple[TaskAddress, int]
"""Which run, and in which week its record lies."""


class RunImportReport(Struct, kw_only=True):
    """What was done so far."""

    runs: int = 0
    """Records that were brought back."""
    known: int = 0
    """Records that were there already."""
    unreadable: int = 0
    """Lines, and ends of files, that could not be imported."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with the first of them, each with its place."""

    def failed(self, problem: str) -> None:
        """One more could not be imported."""
        self.unreadable += 1
        if len(self.problems) < _PROBLEMS_TOLD:
            self.problems.append(problem)


class RunImporter:
    """Takes lines in, one file after the other. The log that the records lie beside must be open."""

    def __init__(self, records: RunRecords, *, retention: RunRetention, clock: Clock | None = None) -> None:
        """Records that are brought back are kept as long from now on as `retention` says."""
        self._records = records
        self._retention = retention
        self._clock = clock or SystemClock()
        self._waiting: list[StoredRun] = []
        self.report = RunImportReport()

    async def take(self, lines: Iterable[bytes], *, source: str) -> None:
        """Import what these lines hold; those that are damaged are told in the report. Raises `StoreError`."""
        try:
            for number, line in enumerate(lines, 1):
                await self._take_line(line, f"{source}:{number}")
        except UnreadableArchive as error:  # a damaged file: what came before is good
            self.report.failed(f"{source}: {error.problem}")
        await self._finish()

    async def _take_line(self, line: bytes, place: str) -> None:
        try:
            if not line.strip() or is_head(line):
                return
            self._waiting.append(archived_run(line))
        except UnreadableArchive as error:
            self.report.failed(f"{place}: {error.problem}")
        if len(self._waiting) >= _RUNS_AT_ONCE:
            await self._finish()

    async def _finish(self) -> None:
        runs, self._waiting = self._waiting, []
        there = await self._there(runs)
        absent: list[StoredRun] = []
        for run in runs:
            if there.get(_key(run), UNTIMED) < run.expires_at:
                there[_key(run)] = run.expires_at
                absent.append(run)
        if absent:
            await self._records.restore([self._kept_on(run) for run in absent])
        self.report.known += len(runs) - len(absent)
        self.report.runs += len(absent)

    async def _there(self, runs: list[StoredRun]) -> dict[RunKey, Instant]:
        """Until when those of these runs are kept that are there."""
        wanted = {_key(run) for run in runs}
        there: dict[RunKey, Instant] = {}
        for tenant in {run.address.tenant for run in runs}:
            times = {run.began for run in runs if run.address.tenant == tenant}
            if not set(await self._records.weeks(tenant)) & {week_of(began) for began in times}:
                continue
            async for one in self._records.between(tenant, min(times), Instant(max(times) + 1)):
                if _key(one) in wanted:
                    there[_key(one)] = one.expires_at
        return there

    def _kept_on(self, run: StoredRun) -> StoredRun:
        now, whose = self._clock.now(), run.address.tenant
        until = self._retention.expires_at(whose, began=run.began, last=now, stream_ends=now)
        return replace(run, expires_at=max(run.expires_at, until))


def _key(run: StoredRun) -> RunKey:
    return run.address, week_of(run.began)
