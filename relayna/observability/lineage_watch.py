"""Watches that every run has a birth, and that edges do not go on failing: the alarms of lineage.

Owns when it looks and what it says, each alarm once. What is wrong, the projections know
(`birth_check.py`, `edge_failure_windows.py`). Its own failures are counted, and stop nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.errors import StoreError
from relayna.ids import Tenant
from relayna.observability.metrics import PrometheusMeasures
from relayna.observability.unborn_runs import find_unborn_runs, named_runs
from relayna.projections.lineage.birth_check import RunWithoutBirth
from relayna.projections.lineage.edge_failure_windows import (
    EdgeFailureWindows,
    FailureWindowTerms,
    SustainedAlarm,
    after_look,
)
from relayna.settings import lineage_reads
from relayna.streams.run_records import RunRecords, StoredRun

__all__ = ["LineageFindings", "LineageWatch"]

_FAILURES: Final = "relayna_lineage_emission_failures_total"
_REMEMBERED: Final = 10_000
_logger: Final = logging.getLogger("relayna.lineage")


class LineageFindings(Struct, frozen=True, kw_only=True):
    """What a look found."""

    without_birth: list[RunWithoutBirth]
    """At most 1,000 a tenant."""
    sustained: bool
    """Whether edges go on failing."""


class LineageWatch:
    """Looks at the records of runs of some tenants. The log that they lie beside must be open."""

    def __init__(
        self,
        records: RunRecords,
        *,
        tenants: Iterable[Tenant],
        measures: PrometheusMeasures,
        window_seconds: float = 3_600.0,
        settled_seconds: float = 0.0,
        failure_terms: FailureWindowTerms | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Each look is at the runs that began in the last `window_seconds`, but for the last `settled_seconds`.

        In these, who led to a run may be about to say so: what tells of an edge goes to two streams.
        What fails to be told, or to be read, is read off `measures`: whatever counts there is watched.
        """
        self.records = records
        """What it looks at."""
        self._tenants: dict[Tenant, list[RunWithoutBirth]] = {tenant: [] for tenant in tenants}
        """With what was found of each when it was looked at last."""
        self._away: set[Tenant] = set()
        """Whose records could not be read when they were looked at last."""
        self._measures = measures
        self._window_micros = round(window_seconds * 1_000_000)
        self._settled_micros = round(settled_seconds * 1_000_000)
        self._terms = failure_terms or FailureWindowTerms()
        self._clock = clock or SystemClock()
        self._windows = EdgeFailureWindows()
        self._failures_seen = measures.counted(_FAILURES)
        self._told: dict[tuple[Tenant, str], None] = {}
        """Runs that were named before, and records that could not be read."""
        self._latest: LineageFindings | None = None
        measures.watch("relayna_lineage_runs_without_birth", self._count_without_birth)
        measures.watch("relayna_lineage_edge_failures_sustained", self._is_sustained)

    def include(self, tenant: Tenant) -> None:
        """Look at this tenant's runs too from now on."""
        self._tenants.setdefault(tenant, [])

    async def run(self, *, every_seconds: float = 60.0) -> None:
        """Look now and again, for ever, while `RELAYNA_LINEAGE_READ` is on."""
        while True:
            if lineage_reads():
                await self._try()
            else:
                self._latest = None
            await self._clock.sleep(every_seconds)

    async def check(self) -> LineageFindings:
        """Look once, tell what is new, and measure. A store that does not answer is a failure, and counted."""
        for tenant in list(self._tenants):
            try:
                self._tenants[tenant] = await self._without_birth(tenant)
                self._away.discard(tenant)
            except StoreError as error:  # what was found before stands until it is known better
                self._measures.increment(_FAILURES, reason="store")
                level = logging.DEBUG if tenant in self._away else logging.WARNING
                _logger.log(level, "Births of runs are not looked at until the store answers: %s", error)
                self._away.add(tenant)
        found = [(tenant, one) for tenant, some in self._tenants.items() for one in some]
        new = [one for tenant, one in found if self._is_new(tenant, one.run_id)]
        if new:
            _logger.error(
                "MissingInboundEdge: runs began that no recorded edge led to: %s. See docs/metrics.md.",
                named_runs(new),
            )
        alarm = self._note_failures(len(new))
        if alarm is not None:
            self._tell_sustained(alarm)
        self._latest = LineageFindings(
            without_birth=[one for _, one in found],
            sustained=self._windows.state == "sustained",
        )
        return self._latest

    async def _try(self) -> None:
        try:
            await self.check()
        except Exception:  # counted; the service answers whatever becomes of its watch
            self._measures.increment(_FAILURES, reason="failed")
            _logger.exception("A look at the births of runs failed; please report it")

    async def _without_birth(self, tenant: Tenant) -> list[RunWithoutBirth]:
        return await find_unborn_runs(
            self.records,
            tenant,
            now=self._clock.now(),
            window_micros=self._window_micros,
            settled_micros=self._settled_micros,
            unreadable=self._count_unreadable,
        )

    def _note_failures(self, found: int) -> SustainedAlarm | None:
        counted = self._measures.counted(_FAILURES)
        # A forked process counts from 0 again.
        failures = found + round(max(0.0, counted - self._failures_seen))
        self._failures_seen = counted
        self._windows, alarm = after_look(self._windows, self._clock.now(), failures, terms=self._terms)
        return alarm

    def _count_unreadable(self, stored: StoredRun) -> None:
        if self._is_new(stored.address.tenant, stored.address.task_id):
            self._measures.increment(_FAILURES, reason="unreadable")
            _logger.warning(
                "The record of run %r cannot be read; its birth is not checked", stored.address.task_id
            )

    def _is_new(self, tenant: Tenant, run_id: str) -> bool:
        if (tenant, run_id) in self._told:
            return False
        self._told[tenant, run_id] = None
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        return True

    def _tell_sustained(self, alarm: SustainedAlarm) -> None:
        if alarm == "fires":
            _logger.error(
                "EdgeFailuresSustained: births are missing, or edges could not be told or read, in %d windows of %g s "
                "in a row. See docs/metrics.md.",
                self._terms.bad_in_a_row,
                self._terms.window_seconds,
            )
        else:
            _logger.info("EdgeFailuresSustained is over: nothing failed for %g s", self._terms.window_seconds)

    def _count_without_birth(self) -> float | None:
        return None if self._latest is None else float(len(self._latest.without_birth))

    def _is_sustained(self) -> float | None:
        return None if self._latest is None else float(self._latest.sustained)
