"""While large graphs are made: no full collections, short turns for threads, and all as before afterwards."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from relayna.observability.interpreter_manners import InterpreterManners


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold(), sys.getswitchinterval()
    yield
    assert (gc.get_threshold(), sys.getswitchinterval()) == before


def test_they_are_minded_as_long_as_anybody_is_in() -> None:
    manners, (young, middle, _) = InterpreterManners(), gc.get_threshold()
    with manners.minded():
        with manners.minded():
            pass
        assert gc.get_threshold()[:2] == (young, middle)
        assert gc.get_threshold()[2] > 1_000
        assert sys.getswitchinterval() < 0.001


def test_turns_that_are_short_already_stay_so() -> None:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    try:
        with InterpreterManners().minded():
            assert sys.getswitchinterval() < 0.0002
    finally:
        sys.setswitchinterval(usual)


def test_an_error_ends_it_too() -> None:
    with pytest.raises(ValueError, match="no"), InterpreterManners().minded():
        raise ValueError("no")


def test_where_somebody_always_is_in_everything_is_collected_in_between() -> None:
    before = gc.get_stats()[2]["collections"]
    manners = InterpreterManners()
    with manners.minded():
        for _ in range(200):
            with manners.minded():
                pass
    assert 1 <= gc.get_stats()[2]["collections"] - before <= 10
