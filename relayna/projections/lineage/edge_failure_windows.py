"""Whether edges fail again and again: one accident is none of this alarm's, n bad windows in a row are.

Owns the table of states and the arithmetic of windows. Pure: whoever watches brings the time and the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from relayna.instants import Instant

__all__ = [
    "TRANSITIONS", "EdgeFailureWindows", "FailureWindowTerms", "SustainedAlarm", "SustainedState", "WindowResult",
    "after_look", "after_window",
]  # fmt: skip

SustainedState: TypeAlias = Literal["clear", "failing", "sustained"]
"""`failing`: the last window was bad, and too few before it were."""
WindowResult: TypeAlias = Literal["clean", "bad", "nth_bad"]
"""`nth_bad`: as many in a row as the alarm asks for, or more."""
SustainedAlarm: TypeAlias = Literal["fires", "clears"]

TRANSITIONS: Final[Mapping[tuple[SustainedState, WindowResult], tuple[SustainedState, SustainedAlarm | None]]] = {
    ("clear", "clean"): ("clear", None),
    ("clear", "bad"): ("failing", None),
    ("clear", "nth_bad"): ("sustained", "fires"),
    ("failing", "clean"): ("clear", None),
    ("failing", "bad"): ("failing", None),
    ("failing", "nth_bad"): ("sustained", "fires"),
    ("sustained", "clean"): ("clear", "clears"),
    ("sustained", "bad"): ("sustained", None),
    ("sustained", "nth_bad"): ("sustained", None),
}  # fmt: skip
"""Every state and every window: what comes next, and what is said."""


class FailureWindowTerms(Struct, frozen=True, kw_only=True):
    """When failures are sustained."""

    bad_in_a_row: int = 3
    """So many windows."""
    window_seconds: float = 300.0


class EdgeFailureWindows(Struct, frozen=True, kw_only=True):
    """Where it stands."""

    state: SustainedState = "clear"
    bad_in_a_row: int = 0
    began: Instant | None = None
    """When the window did that is open; None before the first look."""
    failures: int = 0
    """In the window that is open."""


def after_window(
    windows: EdgeFailureWindows, failures: int, *, terms: FailureWindowTerms
) -> tuple[EdgeFailureWindows, SustainedAlarm | None]:
    """Where it stands when a window with so many failures is over, and what is to be said."""
    bad_in_a_row = windows.bad_in_a_row + 1 if failures else 0
    result: WindowResult = "clean"
    if failures:
        result = "nth_bad" if bad_in_a_row >= terms.bad_in_a_row else "bad"
    state, alarm = TRANSITIONS[windows.state, result]
    return EdgeFailureWindows(state=state, bad_in_a_row=bad_in_a_row, began=windows.began), alarm


def after_look(
    windows: EdgeFailureWindows, at: Instant, failures: int, *, terms: FailureWindowTerms
) -> tuple[EdgeFailureWindows, SustainedAlarm | None]:
    """Where it stands after a look that found so many failures since the look before.

    They are of the window that was open until then. Of windows that passed with nobody looking nothing is known:
    they are neither bad nor clean.
    """
    began = at if windows.began is None else windows.began
    failures += windows.failures
    length = round(terms.window_seconds * 1_000_000)
    if at - began < length:
        return _open(windows, began, failures), None
    over, alarm = after_window(windows, failures, terms=terms)
    return _open(over, Instant(at - (at - began) % length), 0), alarm


def _open(windows: EdgeFailureWindows, began: Instant, failures: int) -> EdgeFailureWindows:
    return EdgeFailureWindows(
        state=windows.state, bad_in_a_row=windows.bad_in_a_row, began=began, failures=failures
    )
