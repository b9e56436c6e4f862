"""What is measured: figures with their spread, and the targets that they are held against.

Owns the shapes and their arithmetic. Measures nothing and prints nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from msgspec import Struct, field

__all__ = ["Figure", "Target", "growth_exponent", "percentile"]


class Target(Struct, frozen=True):
    """A bound that a figure should keep, with the name that the performance targets give it."""

    name: str
    most: float | None = None
    least: float | None = None

    def is_met_by(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        """As the table shows it."""
        bound = f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"
        return f"{self.name}: {bound}"


class Figure(Struct, frozen=True, kw_only=True):
    """One line of the report: a sample a round, in one unit."""

    name: str
    unit: str
    samples: list[float] = field(default_factory=list)
    """None when it could not be measured; `note` says why."""
    target: Target | None = None
    note: str = ""

    @property
    def median(self) -> float | None:
        """The middle round."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the target; none without either."""
        median = self.median
        return None if self.target is None or median is None else self.target.is_met_by(median)


def growth_exponent(cost_by_size: Mapping[int, float]) -> float:
    """By which power of the size the whole cost grows: 1 is linear. Least squares on logarithms.

    >>> round(growth_exponent({10: 5.0, 100: 50.0, 1000: 500.0}), 3)
    1.0
    """
    line = statistics.linear_regression(
        [math.log(size) for size in cost_by_size], [math.log(cost) for cost in cost_by_size.values()]
    )
    return line.slope


def percentile(values: list[float], percent: float) -> float:
    """The value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]
