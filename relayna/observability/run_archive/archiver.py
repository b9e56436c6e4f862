"""Moves runs whose time is over out of a store, into a folder of archives.

Owns what is moved and when a week is forgotten: not before its file is safely on disk, and not while anything of it
is not in the file. Doing it again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Final

import anyio.to_thread
from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.archive import ArchiveResult
from relayna.observability.run_archive.folder import RunArchiveFolder, WeekFile
from relayna.observability.run_archive.lines import first_day, run_line
from relayna.observability.run_records.retention import RunRetention
from relayna.streams.run_records import WEEK_MICROS, RunRecords, StoredRun

__all__ = ["RunArchiver", "WeekArchived"]

_RUNS_AT_ONCE: Final = 10_000


class WeekArchived(Struct, frozen=True, kw_only=True):
    """What became of a week."""

    week: int
    first_day: str
    runs: int
    """Of which the time is over."""
    younger: int
    """That stay in the store, and the week with them."""
    result: ArchiveResult | None
    """What became of the file; None where nothing was to be written."""
    forgotten: bool
    """Whether the store holds the week no more."""


class RunArchiver:
    """Of one tenant. The log that the records lie beside must be open."""

    def __init__(
        self,
        records: RunRecords,
        folder: RunArchiveFolder,
        *,
        tenant: Tenant,
        retention: RunRetention,
        began_before: Instant | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Moves what may be forgotten by now; with `began_before`, all that began before.

        Weeks in which `retention` lets nothing be over are not even looked at.
        """
        self._records = records
        self._folder = folder
        self._tenant = tenant
        self._began_before = began_before
        self._clock = clock or SystemClock()
        self._retention = retention

    async def weeks(self) -> list[int]:
        """Those that may hold something to move, oldest first. Raises `StoreError`."""
        return [week for week in await self._records.weeks(self._tenant) if self._may_be_over(week)]

    async def archive(self, week: int, *, dry_run: bool = False) -> WeekArchived:
        """Move what is to be moved of a week. Raises `StoreError`, `OSError` and `UnreadableArchive`."""
        seen = _Seen()
        if dry_run:
            async for run in self._of(week):
                seen.note(run, self._is_over(run))
            return _told(week, seen)
        file: WeekFile | None = None
        try:
            async for some in self._portions(week, seen):
                if file is None:
                    file = await anyio.to_thread.run_sync(self._folder.begin, self._tenant, week)
                await anyio.to_thread.run_sync(file.add, some)
            if file is None:
                return _told(week, seen)
            result = await anyio.to_thread.run_sync(file.finish)
        finally:
            if file is not None:
                await anyio.to_thread.run_sync(file.close)
        forgotten = not seen.younger and await self._is_still(week, seen)
        if forgotten:  # what is written from now on has more to tell, and is kept longer
            forgotten = await self._records.forget(
                self._tenant, week, only=lambda run: run.expires_at <= seen.latest and self._is_over(run)
            )
        return _told(week, seen, result, forgotten=forgotten)

    async def _portions(self, week: int, seen: _Seen) -> AsyncIterator[list[StoredRun]]:
        some: list[StoredRun] = []
        async for run in self._of(week):
            over = self._is_over(run)
            seen.note(run, over)
            if over:
                some.append(run)
            if len(some) >= _RUNS_AT_ONCE:
                yield some
                some = []
        if some:
            yield some

    async def _is_still(self, week: int, seen: _Seen) -> bool:
        """Whether the week holds what was archived, and nothing that was written since."""
        now = _Seen()
        async for run in self._of(week):
            now.note(run, self._is_over(run))
        return now.younger == 0 and now.digest == seen.digest

    def _of(self, week: int) -> AsyncIterator[StoredRun]:
        since = Instant(week * WEEK_MICROS)
        return self._records.between(self._tenant, since, Instant(since + WEEK_MICROS))

    def _may_be_over(self, week: int) -> bool:
        begins = Instant(week * WEEK_MICROS)
        earliest = self._retention.expires_at(self._tenant, began=begins, last=begins, stream_ends=begins)
        return earliest <= self._clock.now() or (
            self._began_before is not None and begins < self._began_before
        )

    def _is_over(self, run: StoredRun) -> bool:
        before = self._began_before
        return run.expires_at <= self._clock.now() or (before is not None and run.began < before)


class _Seen:
    """What a walk over a week met, in any order."""

    def __init__(self) -> None:
        self.over = self.younger = 0
        self.digest = 0
        self.latest = 0
        """Until when the last of them was kept."""

    def note(self, run: StoredRun, over: bool) -> None:
        self.over += over
        self.younger += not over
        self.latest = max(self.latest, run.expires_at)
        digest = int.from_bytes(hashlib.sha256(run_line(run)).digest()[:16])
        self.digest = (self.digest + digest) % 2**128  # the same in any order


def _told(
    week: int, seen: _Seen, result: ArchiveResult | None = None, *, forgotten: bool = False
) -> WeekArchived:
    return WeekArchived(
        week=week,
        first_day=first_day(week),
        runs=seen.over,
        younger=seen.younger,
        result=result,
        forgotten=forgotten,
    )
