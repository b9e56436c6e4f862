"""What is measured: figures with their spread, and the targets that they are held against.

Owns the shapes and their arithmetic. Measures nothing and prints nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct, field

__all__ = ["Figure", "Target", "Verdict", "growth_exponent", "percentile"]

Verdict: TypeAlias = Literal["met", "within noise", "missed", "not measured"]
"""`met`: the median keeps the target. `within noise`: it does not, and the most favourable round does. `missed`: no
round does."""


class Target(Struct, frozen=True):
    """A bound that a figure should keep, with the name that the performance targets give it."""

    name: str
    most: float | None = None
    least: float | None = None

    def is_met_by(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    @property
    def bound(self) -> str:
        """The bound alone, as tables show it."""
        bounds = [f"≥ {self.least:,g}"] if self.least is not None else []
        bounds += [f"≤ {self.most:,g}"] if self.most is not None else []
        return ", ".join(bounds)

    def __str__(self) -> str:
        """As the table shows it."""
        return f"{self.name}: {self.bound}"


class Figure(Struct, frozen=True, kw_only=True):
    """One line of the report: a sample a round, in one unit."""

    name: str
    unit: str
    samples: list[float] = field(default_factory=list)
    """None when it could not be measured; `note` says why. One of what does not vary from round to round."""
    target: Target | None = None
    note: str = ""
    beside: str = ""
    """The name of another figure of this case: the limit or the peer that took its turns in the same rounds."""
    signed: bool = False
    """Whether noise may bring it below zero, as it may a difference of two that are nearly alike."""

    @property
    def median(self) -> float | None:
        """The middle round."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def verdict(self) -> Verdict | None:
        """How it stands to its target; None without one."""
        if self.target is None:
            return None
        median = self.median
        if median is None:
            return "not measured"
        if self.target.is_met_by(median):
            return "met"
        return "within noise" if any(map(self.target.is_met_by, self.samples)) else "missed"


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
