"""A report that lacks something is told of, whatever its figures are."""

from __future__ import annotations

import math

import pytest
from benchmarking.sample_reports import figure, report
from msgspec.structs import replace

from benchmarks.carried import Carried
from benchmarks.figures import Figure
from benchmarks.results import CaseResult
from benchmarks.shape import faults


def faults_of(*figures: Figure, error: str = "") -> list[str]:
    case = CaseResult(name="case", about="", seconds=1, budget_seconds=1, figures=list(figures), error=error)
    return faults(report(cases=[case]), ["case"])


def test_a_whole_one_has_none() -> None:
    assert faults(report(), ["record", "append"], lines=[]) == []


def test_what_one_of_each_carries_has_its_figures() -> None:
    line = Carried(who="a worker", what="events", case="append", figures=("recorder",))
    assert faults(report(), [], [line]) == []
    [fault] = faults(report(), [], [replace(line, figures=("renamed",))])
    assert fault == "append: lacks what tells how many events a worker carries: renamed"


@pytest.mark.parametrize(
    ("sound", "fault"),
    [
        (figure(name="bytes, which do not vary", unit="B"), "was not measured, and does not say why"),
        (figure(1, 2), "has 2 samples of 3 rounds"),
        (figure(1, math.nan, 2), "has samples that are no numbers"),
        (figure(1, math.inf, 2), "has samples that are no numbers"),
        (figure(1, -1, -2), "is below zero"),
        (figure(1, 1, 2, beside="other"), "stands beside 'other', which is not there"),
    ],
)
def test_figures_that_are_none(sound: Figure, fault: str) -> None:
    assert faults_of(sound) == [f"case: {sound.name}: {fault}"]


def test_figures_that_are_fine() -> None:
    measured_once = figure(330, name="once")
    difference = figure(1, -1, -2, name="difference", signed=True)
    unmeasured = figure(name="unmeasured", note="no server")
    assert faults_of(measured_once, difference, unmeasured) == []


def test_cases_that_are_none() -> None:
    assert faults(report(cases=[]), ["case"]) == ["case: not in the report"]
    assert faults_of() == ["case: has no figure"]
    assert faults_of(figure(1), error="ValueError: no") == ["case: broke: ValueError: no"]
    assert faults_of(figure(1), figure(2)) == ["case: says twice: one"]
