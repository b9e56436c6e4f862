"""Runs cases one after the other: each with a store of its own, its time and memory beside its figures.

Owns that a case which breaks does not end the others.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable
from os import getloadavg
from time import perf_counter
from typing import Final

from benchmarks.budgets import BUDGETS
from benchmarks.calibration import calibrate
from benchmarks.case import Bench, Case
from benchmarks.machine import describe_machine
from benchmarks.memory import ProcessMemory, store_growth
from benchmarks.results import CaseResult, Report
from relayna.clock import SystemClock
from relayna.instants import format_instant

__all__ = ["begin_report", "run_cases"]

_logger: Final = logging.getLogger("benchmarks")


def begin_report(*, quick: bool, rounds: int, only: list[str]) -> Report:
    """A report with the machine as it is now, and no case yet."""
    load = getloadavg()
    return Report(
        measured_at=format_instant(SystemClock().now()),
        quick=quick,
        rounds=rounds,
        only=only,
        machine=describe_machine(),
        load_before=load,
        load_after=load,
        calibration_ms=[calibrate()],
    )


def run_cases(
    cases: Iterable[Case], bench: Bench, report: Report, *, on_case: Callable[[CaseResult], None]
) -> None:
    """Add the cases to the report, one by one; `on_case` is called when one is there."""
    for case in cases:
        result = _run(case, bench)
        report.cases.append(result)
        report.calibration_ms.append(calibrate())
        report.load_after = getloadavg()
        on_case(result)


def _run(case: Case, bench: Bench) -> CaseResult:
    budget = BUDGETS[case.name].seconds(quick=bench.quick)
    result = CaseResult(name=case.name, about=case.about, seconds=0.0, budget_seconds=budget)
    gc.collect()
    memory = ProcessMemory()
    start = perf_counter()
    try:
        result.figures += case.run(bench)
    except Exception as error:
        _logger.exception("%s broke; the others are still measured", case.name)
        result.error = f"{type(error).__name__}: {error}"
    result.seconds = perf_counter() - start
    result.process_megabytes = memory.growth()
    result.store_megabytes = store_growth(bench.store_url) if bench.has_store else None
    bench.end_store()
    return result
