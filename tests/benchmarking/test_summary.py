"""Each target has one row, that of the figure which keeps it least well, and a run fails for what was missed."""

from __future__ import annotations

from benchmarking.sample_reports import KNOWN, SHARE, figure, report

from benchmarks.promises import PROMISES
from benchmarks.registry import CASES
from benchmarks.results import CaseResult
from benchmarks.summary import TARGETS, failures, summary


def test_every_promise_has_a_row() -> None:
    rows = summary(report(), KNOWN)
    assert [row.name for row in rows] == list(PROMISES)
    told = {row.name: (row.case, row.what, row.verdict) for row in rows}
    assert told["P1"] == ("record", "p50, store hangs", "within noise")
    assert told["P3"] == ("append", "beside raw", "missed")
    assert told["P9"] == ("", "sealed task", "not measured")
    assert told["P12"] == ("", PROMISES["P12"], "not measured")


def test_what_stands_beside_a_figure_is_told_with_it() -> None:
    [row] = [row for row in summary(report(), KNOWN) if row.name == "P1"]
    assert row.beside is not None
    assert row.beside.name == "an empty loop"


def test_of_figures_that_miss_alike_the_worst_is_told() -> None:
    case = CaseResult(name="append", about="", seconds=1, budget_seconds=1)
    case.figures = [
        figure(0.7, name="few", target=SHARE),
        figure(0.2, name="many", target=SHARE),
        figure(name="none", target=SHARE),
        figure(0.2, name="of another unit", unit="%", target=SHARE),
    ]
    rows = summary(report(cases=[case], only=["append"]), KNOWN)
    assert [row.what for row in rows] == ["many", "of another unit"]


def test_a_whole_run_fails_for_what_is_missing_too() -> None:
    found = failures(report(), KNOWN)
    assert found[0] == "append: beside raw: 0.36 x, and no round kept P3: ≥ 0.85"
    assert "P9: not measured: sealed task" in found
    assert f"P12: not measured: {PROMISES['P12']}" in found
    assert len(found) == 1 + len(PROMISES) - 2


def test_any_other_run_fails_only_for_what_it_measured() -> None:
    for partly in ({"quick": True}, {"only": ["record", "append"]}):
        assert len(failures(report(**partly), KNOWN)) == 1


def test_what_could_not_be_measured_is_told_with_its_reason() -> None:
    unmeasured = figure(name="beside raw", target=SHARE, note="no server")
    case = CaseResult(name="append", about="", seconds=1, budget_seconds=1, figures=[unmeasured])
    assert "P3: not measured: beside raw (no server)" in failures(report(cases=[case]), {})


def test_a_case_that_broke_fails_every_run() -> None:
    case = CaseResult(name="append", about="", seconds=1, budget_seconds=1, error="ValueError: no")
    assert failures(report(cases=[case], quick=True), {}) == ["append: broke: ValueError: no"]


def test_targets_are_called_what_they_are_called() -> None:
    assert TARGETS["record median"].name == "P1"
    assert len({case.name for case in CASES}) == len(CASES)
