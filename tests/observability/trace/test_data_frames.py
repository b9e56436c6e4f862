"""Analyses as data frames: their columns, and the greatest total first."""

from __future__ import annotations

import sys

import pytest
from observability.trace.sessions import analysed, diamond

from relayna.errors import ConfigurationError
from relayna.observability.trace import compute_frame, critical_path_frame, network_frame


def test_what_took_how_long_the_greatest_total_first() -> None:
    compute, network = compute_frame(diamond()), network_frame(diamond())
    assert list(compute["event_type"]) == ["gen", "load"]
    assert list(network["event_type"]) == ["dump to storage", "read"]
    assert list(network["total_seconds"]) == [2.75, 0.25]
    assert list(compute.columns) == [
        "event_type", "count", "total_seconds", "avg_seconds", "min_seconds", "max_seconds",
    ]  # fmt: skip


def test_the_critical_path_the_longest_first_with_its_place_on_the_path() -> None:
    path = critical_path_frame(diamond())
    assert list(path["data_id"]) == ["c", "a", "d"]
    assert list(path["position"]) == [1, 0, 2]
    assert list(path["total_seconds"]) == [7.0, 2.0, 1.0]


def test_nothing_is_an_empty_frame() -> None:
    for frame in (compute_frame, network_frame, critical_path_frame):
        assert len(frame(analysed([]))) == 0
        assert "total_seconds" in frame(analysed([])).columns


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match="extra `dataframes`"):
        compute_frame(diamond())
