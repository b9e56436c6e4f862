"""How fast the machine itself is while a run goes on: a fixed piece of Python, timed again and again.

Owns the loop, which never changes, so that runs of different days compare. A reader sees in its spread whether others
used the machine meanwhile.
"""

from __future__ import annotations

from time import perf_counter
from typing import Final

__all__ = ["calibrate"]

_STEPS: Final = 200_000
_TIMES: Final = 5


def calibrate() -> float:
    """Milliseconds of the loop: the best of a few, so that a mere hiccup does not count."""
    return min(_timed_loop() for _ in range(_TIMES)) * 1000


def _timed_loop() -> float:
    counts: dict[int, int] = {}
    start = perf_counter()
    for number in range(_STEPS):
        counts[number % 97] = counts.get(number % 89, 0) + number
    return perf_counter() - start
