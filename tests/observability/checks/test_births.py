"""What is said of runs without a birth."""

from __future__ import annotations

import pytest

from relayna.observability.checks import CheckState
from relayna.observability.checks.births import check_births


@pytest.mark.parametrize(
    ("unborn", "unreadable", "state", "word"),
    [
        (0, 0, "ok", "every"),
        (2, 1, "failed", "2 of the runs"),
        (0, 3, "warning", "3 records"),
        (None, 0, "unknown", ""),
    ],
)
def test_it_is_judged_by_what_was_found(
    unborn: int | None, unreadable: int, state: CheckState, word: str
) -> None:
    check = check_births(unborn, unreadable=unreadable)
    assert (check.name, check.state) == ("births", state)
    assert word in check.found
    assert bool(check.advice) == (state in ("failed", "warning"))
