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
from relayna.observability.checks.check import Check, CheckReport, CheckState
from relayna.observability.checks.registry import judge
from relayna.signals import Counters, IgnoredCounters
from relayna.streams import Log
from relayna.streams.log import DEFAULT_OPEN_RETENTION_SECONDS, DEFAULT_RETENTION_SECONDS
from relayna.streams.redis.inspection import inspect_store
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
        clock: Clock | None = None,
        counters: Counters | None = None,
    ) -> None:
        """Counts `relayna_store_checks_total` by check and state, once for each time that the store was asked."""
        self._log = log
        self._counters: Counters = counters or IgnoredCounters()
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
                for check in self.latest.checks:
                    self._counters.increment(
                        "relayna_store_checks_total", check=check.name, state=check.state
                    )
            return self.latest

    async def watch(self, *, every_seconds: float = 60.0) -> None:
        """Check now and again, for ever, and log each finding when it appears or changes."""
        while True:
            self._tell(await self.report())
            await self._clock.sleep(every_seconds)

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
        inspection = await inspect_store(self._log, clock=self._clock)
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
