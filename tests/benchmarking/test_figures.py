"""A target is missed only by more than the run's own noise."""

from __future__ import annotations

import pytest
from benchmarking.sample_reports import QUICKNESS, SHARE, figure

from benchmarks.figures import Target, percentile


@pytest.mark.parametrize(
    ("samples", "target", "verdict"),
    [
        ((2, 3, 9), QUICKNESS, "met"),
        ((2, 4, 9), QUICKNESS, "within noise"),
        ((3.01, 4, 9), QUICKNESS, "missed"),
        ((0.8, 0.85, 0.9), SHARE, "met"),
        ((0.7, 0.8, 0.9), SHARE, "within noise"),
        ((0.7, 0.8, 0.84), SHARE, "missed"),
        ((), SHARE, "not measured"),
        ((9.0,), None, None),
        ((0.9,), Target("P12", least=0.8, most=1.2), "met"),
        ((1.3, 1.1, 1.4), Target("P12", least=0.8, most=1.2), "within noise"),
        ((0.7, 0.6, 1.3), Target("P12", least=0.8, most=1.2), "missed"),
    ],
)
def test_how_a_figure_stands_to_its_target(
    samples: tuple[float, ...], target: Target | None, verdict: str | None
) -> None:
    assert figure(*samples, target=target).verdict == verdict


def test_a_target_is_told_with_its_bounds() -> None:
    assert str(Target("P3", least=150_000)) == "P3: ≥ 150,000"
    assert str(Target("P12", least=0.8, most=1.2)) == "P12: ≥ 0.8, ≤ 1.2"


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([5.0, 1.0, 3.0], 50) == 3.0
    assert percentile([float(one) for one in range(1, 101)], 99) == 99.0
