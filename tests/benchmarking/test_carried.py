"""What one of each carries follows from medians: as they are, or so many times a second."""

from __future__ import annotations

import pytest
from benchmarking.sample_reports import figure, report

from benchmarks.budgets import BUDGETS
from benchmarks.carried import CARRIED, Carried, carried
from benchmarks.results import CaseResult

MEDIANS = {"recorded": 5.0, "indexed": 20.0, "rate": 8_000.0}


@pytest.mark.parametrize(
    ("figures", "times", "a_second"),
    [
        (("rate",), None, 8_000),
        (("recorded",), 1, 200_000),
        (("recorded", "indexed"), 1, 40_000),
        (("indexed",), 20, 2_500),
        (("recorded", "drawn"), 1, None),
    ],
)
def test_a_line(figures: tuple[str, ...], times: int | None, a_second: float | None) -> None:
    line = Carried(who="a store", what="events", case="capacity", figures=figures, times=times)
    assert line.a_second(MEDIANS) == a_second


def test_a_report_has_every_line() -> None:
    case = CaseResult(name="capacity", about="", seconds=1, budget_seconds=1)
    case.figures = [figure(5, 4, 9, name="an event recorded, of the store")]
    told = {line.what: value for line, value in carried(report(cases=[case]))}
    assert len(told) == len(CARRIED)
    assert told["events recorded"] == 200_000
    assert told["events recorded and indexed"] is None
    assert told["graphs of 20 events, over HTTP"] is None


def test_its_cases_have_budgets() -> None:
    assert {line.case for line in CARRIED} <= set(BUDGETS)
