"""The alarm for edges that go on failing: by example, and by its laws."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.instants import Instant
from relayna.projections.lineage.edge_failure_windows import (
    TRANSITIONS,
    EdgeFailureWindows,
    FailureWindowTerms,
    SustainedState,
    WindowResult,
    after_look,
    after_window,
)

SECOND = 1_000_000


def alarms(failures: list[int], terms: FailureWindowTerms) -> list[str | None]:
    """What is said after each window."""
    windows, said = EdgeFailureWindows(), []
    for count in failures:
        windows, alarm = after_window(windows, count, terms=terms)
        said.append(alarm)
    return said


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        ([1, 1, 1, 1, 1], [None, None, "fires", None, None]),
        ([1, 1, 0, 1, 1], [None, None, None, None, None]),
        ([4, 1, 1, 0, 0], [None, None, "fires", "clears", None]),
        ([1, 1, 1, 0, 1, 1, 1], [None, None, "fires", "clears", None, None, "fires"]),
        ([0, 0], [None, None]),
    ],
)
def test_it_fires_once_after_three_and_clears_after_a_clean_one(
    failures: list[int], said: list[str | None]
) -> None:
    assert alarms(failures, FailureWindowTerms()) == said


def test_one_window_can_be_enough() -> None:
    assert alarms([1, 1, 0], FailureWindowTerms(bad_in_a_row=1)) == ["fires", None, "clears"]


def test_the_table_is_total() -> None:
    assert set(TRANSITIONS) == set(product(get_args(SustainedState), get_args(WindowResult)))


@settings(max_examples=200)
@given(
    failures=st.lists(st.integers(0, 3), max_size=40),
    bad_in_a_row=st.integers(1, 5),
)
def test_what_it_says_is_what_the_last_windows_were(failures: list[int], bad_in_a_row: int) -> None:
    is_on = False
    for number, said in enumerate(alarms(failures, FailureWindowTerms(bad_in_a_row=bad_in_a_row)), 1):
        last = failures[max(0, number - bad_in_a_row) : number]
        must_be_on = (len(last) == bad_in_a_row and all(last)) or (is_on and last[-1] > 0)
        assert said == (None if must_be_on == is_on else "fires" if must_be_on else "clears")
        is_on = must_be_on


@settings(max_examples=200)
@given(
    looks=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), max_size=60),
    length=st.integers(9, 20),
)
def test_looks_within_windows_say_what_whole_windows_do(looks: list[tuple[int, int]], length: int) -> None:
    """Looks more often than windows are long lose nothing and count nothing twice."""
    terms = FailureWindowTerms(bad_in_a_row=2, window_seconds=length)
    windows, _ = after_look(EdgeFailureWindows(), Instant(0), 0, terms=terms)
    at, said, by_window = 0, [], [0]
    for later, failures in looks:
        before, at = at, at + later
        windows, alarm = after_look(windows, Instant(at * SECOND), failures, terms=terms)
        said.append(alarm)
        by_window[before // length] += failures
        by_window += [0] * (at // length - before // length)
    assert [one for one in said if one] == [one for one in alarms(by_window[:-1], terms) if one]
    assert windows.failures == by_window[-1]


def test_windows_that_nobody_watched_say_nothing() -> None:
    terms = FailureWindowTerms(bad_in_a_row=2, window_seconds=10)
    windows = EdgeFailureWindows()
    said = []
    for at, failures in ((0, 1), (10, 0), (95, 3), (101, 0), (110, 0)):
        windows, alarm = after_look(windows, Instant(at * SECOND), failures, terms=terms)
        said.append(alarm)
    assert said == [None, None, "fires", "clears", None]
