"""The checks, made when asked for and every minute: the one place that asks and remembers.

Owns how old an answer may be, and that what changes is told in the program's log. `latest` is there for whoever
turns findings into metrics.
"""

from __future__ import annotations

import logging
from typing import Final

import anyio

from relayna.clock import Clock, SystemClock
from relayna.errors import StoreError
from relayna.ids import Tenant
from relayna.observability.checks.check import Check, CheckReport, CheckState
from relayna.observability.checks.registry import judge
from relayna.signals import Counters, measures_of
from relayna.streams import DEFAULT_TENANT, Log
from relayna.streams.log import DEFAULT_OPEN_RETENTION_SECONDS, DEFAULT_RETENTION_SECONDS
from relayna.streams.redis.inspection import Inspection, inspect_store
from relayna.streams.redis.log import RedisLog

__all__ = ["StoreHealth"]

_FRESH_SECONDS: Final = 5.0
_SECONDS_TO_ANSWER: Final = 10.0

_logger = logging.getLogger("relayna.checks")


class StoreHealth:
    """How the store of a log is. Safe to ask from any number of tasks: they share one answer."""

    def __init__(
        self,
        log: Log,
        *,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        open_retention_seconds: int = DEFAULT_OPEN_RETENTION_SECONDS,
        tenant: Tenant = DEFAULT_TENANT,
        clock: Clock | None = None,
        counters: Counters | None = None,
    ) -> None:
        """Counts `relayna_store_checks_total` by check (`source`) and state (`outcome`) each time the store is asked.

        Measures, beside, whether it answers and how far its clock is from ours.
        """
        self._log = log
        self._tenant = tenant
        self._measures = measures_of(counters)
        self._retention_seconds = retention_seconds
        self._open_retention_seconds = open_retention_seconds
        self._clock = clock or SystemClock()
        self._asking = anyio.Lock()
        self._told: dict[str, CheckState] = {}
        self.latest: CheckReport | None = None
        """The last answer, however old."""

    async def report(self) -> CheckReport:
        """All findings, at most 5 s old. Never raises for a store that fails: that is a finding."""
        async with self._asking:
            if self.latest is None or self._age(self.latest) > _FRESH_SECONDS:
                self.latest = CheckReport(checked_at=self._clock.now(), checks=await self._checks())
                self._measure(self.latest)
            return self.latest

    async def watch(self, *, every_seconds: float = 60.0) -> None:
        """Check now and again, for ever, and log each finding when it appears or changes."""
        while True:
            self._tell(await self.report())
            await self._clock.sleep(every_seconds)

    def _measure(self, report: CheckReport) -> None:
        for check in report.checks:
            self._measures.increment("relayna_store_checks_total", source=check.name, outcome=check.state)
            if check.name == "store":
                self._measures.set("relayna_store_up", float(check.state == "ok"))

    def _measure_skew(self, inspection: Inspection) -> None:
        skews = [one.clock_ms - one.our_clock_ms for one in inspection.servers if one.clock_ms is not None]
        if skews:
            self._measures.set("relayna_clock_skew_seconds", max(skews, key=abs) / 1000)

    def _age(self, report: CheckReport) -> float:
        return (self._clock.now() - report.checked_at) / 1_000_000

    async def _checks(self) -> list[Check]:
        try:
            with anyio.fail_after(_SECONDS_TO_ANSWER):
                return await self._answers()
        except StoreError as error:
            _logger.debug("The store cannot be checked: %s", error)
        except TimeoutError:
            _logger.debug("The store did not answer within %g s", _SECONDS_TO_ANSWER)
        return [
            Check(
                name="store",
                state="failed",
                found="The store does not answer.",
                advice="Start it, and check the URL and the network between; the program's log says more.",
            )
        ]

    async def _answers(self) -> list[Check]:
        answers = Check(name="store", state="ok", found="The store answers.")
        if not isinstance(self._log, RedisLog):
            await self._log.ping()
            return [answers]
        inspection = await inspect_store(self._log, clock=self._clock, tenant=self._tenant)
        self._measure_skew(inspection)
        return [
            answers,
            *judge(
                inspection,
                retention_seconds=self._retention_seconds,
                open_retention_seconds=self._open_retention_seconds,
            ),
        ]

    def _tell(self, report: CheckReport) -> None:
        for check in report.checks:
            before = self._told.get(check.name, "ok")
            self._told[check.name] = check.state
            if check.state == before:
                continue
            if check.state in ("warning", "failed"):
                level = logging.ERROR if check.state == "failed" else logging.WARNING
                _logger.log(level, "%s: %s %s", check.name, check.found, check.advice)
            elif before in ("warning", "failed"):
                _logger.info("%s: %s", check.name, check.found)
