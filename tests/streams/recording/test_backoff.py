"""The arithmetic of waiting."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.streams.recording.backoff import Backoff


def test_the_bound_doubles_up_to_the_longest() -> None:
    backoff = Backoff(first_seconds=0.5, longest_seconds=3, draw=lambda: 1.0)
    assert [backoff.seconds(failures) for failures in (0, 1, 2, 3, 4, 10_000)] == [0.5, 0.5, 1, 2, 3, 3]


@given(failures=st.integers(0, 10**6))
def test_jitter_is_full(failures: int) -> None:
    assert 0 <= Backoff().seconds(failures) <= 5
    assert Backoff(draw=lambda: 0.0).seconds(failures) == 0
