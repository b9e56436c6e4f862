"""Run records in this process's memory: for tests, demonstrations and use with no server at all.

Owns them as the store has them. Keeps nothing beyond the object's life, and talks to nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import anyio.lowlevel

from relayna.clock import Clock, SystemClock
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.run_records import SPARE_DAYS, StoredRun, week_of

__all__ = ["MemoryRunRecords"]

_SPARE_MICROS = SPARE_DAYS * 86_400 * 1_000_000


class MemoryRunRecords:
    """`RunRecords` in memory."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._weeks: dict[tuple[Tenant, int], dict[TaskAddress, StoredRun]] = {}
        self._week_of: dict[TaskAddress, int] = {}
        """Where a run lay when it was written last."""

    def keep(self, runs: Iterable[StoredRun]) -> None:
        """Write these records, instead of those that there were of the same runs, but for those of earlier weeks."""
        for run in runs:
            week = week_of(run.began)
            before = self._week_of.get(run.address, week)
            if before >= week:  # else it is of a run whose stream had expired when it was heard of again
                self._week(run.address.tenant, before).pop(run.address, None)
            self._week(run.address.tenant, week)[run.address] = run
            self._week_of[run.address] = week

    async def of_session(self, tenant: Tenant, session_id: str) -> list[StoredRun]:
        """All records of a session, by when their runs began."""
        await anyio.lowlevel.checkpoint()
        found = [run for run in self._of(tenant) if run.session_id == session_id]
        return sorted(found, key=lambda run: (run.began, run.address.task_id))

    async def of_run(self, address: TaskAddress) -> StoredRun | None:
        """The newest record of a run."""
        await anyio.lowlevel.checkpoint()
        found = [run for run in self._of(address.tenant) if run.address == address]
        return max(found, key=lambda run: (run.expires_at, run.began), default=None)

    async def between(self, tenant: Tenant, since: Instant, until: Instant) -> AsyncIterator[StoredRun]:
        """Records of runs that began in that time, week by week."""
        for week in await self.weeks(tenant):
            for run in list(self._week(tenant, week).values()):
                if since <= run.began < until:
                    yield run

    async def weeks(self, tenant: Tenant) -> list[int]:
        """The weeks that hold any records, in order."""
        await anyio.lowlevel.checkpoint()
        return sorted({week_of(run.began) for run in self._of(tenant)})

    async def restore(self, runs: Sequence[StoredRun]) -> None:
        """Write records from an archive; what is there and as new stays."""
        await anyio.lowlevel.checkpoint()
        for run in runs:
            week = self._week(run.address.tenant, week_of(run.began))
            there = week.get(run.address)
            if there is None or there.expires_at < run.expires_at:
                week[run.address] = run

    async def forget(
        self, tenant: Tenant, week: int, *, only: Callable[[StoredRun], bool] | None = None
    ) -> bool:
        """Remove all records of a week, unless one of them may not go; whether it is gone."""
        await anyio.lowlevel.checkpoint()
        if only is not None and not all(map(only, self._week(tenant, week).values())):
            return False
        self._weeks.pop((tenant, week), None)
        return True

    def _of(self, tenant: Tenant) -> list[StoredRun]:
        """All that there are, but for those whose time has run out."""
        youngest = self._clock.now() - _SPARE_MICROS
        found: list[StoredRun] = []
        for (owner, _), runs in self._weeks.items():
            for address in [address for address, run in runs.items() if run.expires_at <= youngest]:
                del runs[address]
            if owner == tenant:
                found += runs.values()
        return found

    def _week(self, tenant: Tenant, week: int) -> dict[TaskAddress, StoredRun]:
        return self._weeks.setdefault((tenant, week), {})
