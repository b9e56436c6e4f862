"""A report of two cases, for tests: one met, one within noise, one missed, one that could not be measured."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import Figure, Target
from benchmarks.results import CaseResult, Report

__all__ = ["KNOWN", "QUICKNESS", "SHARE", "figure", "report"]

QUICKNESS = Target("P1", most=3)
SHARE = Target("P3", least=0.85)
MEMORY = Target("P9", most=1.7)
KNOWN = {"record median": QUICKNESS, "append beside raw": SHARE, "sealed task": MEMORY}


def figure(*samples: float, **named: Any) -> Figure:
    return Figure(**{"name": "one", "unit": "µs/call", "samples": list(samples), **named})


def report(**changed: Any) -> Report:
    record = CaseResult(
        name="record",
        about="What a call costs.",
        seconds=3.04,
        budget_seconds=12,
        process_megabytes=5.67,
        figures=[
            figure(2.1, 2.0, 2.4, name="p50, store up", target=QUICKNESS),
            figure(3.2, 2.9, 3.4, name="p50, store hangs", target=QUICKNESS, beside="an empty loop"),
            figure(0.04, 0.05, 0.03, name="an empty loop", note="nothing but the loop"),
        ],
    )
    append = CaseResult(
        name="append",
        about="Events a second.",
        seconds=41.2,
        budget_seconds=40,
        process_megabytes=68.7,
        store_megabytes=537.1,
        figures=[
            figure(147_550, 123_728, 152_446, name="recorder", unit="events/s"),
            figure(0.36, 0.31, 0.38, name="beside raw", unit="x", target=SHARE),
        ],
    )
    named: dict[str, Any] = {
        "measured_at": "2026-01-01T00:00:00.000000Z",
        "quick": False,
        "rounds": 3,
        "machine": {"processor": "2 x Example", "store": "Valkey"},
        "load_before": (0.1, 0.2, 0.3),
        "load_after": (1.1, 0.4, 0.3),
        "calibration_ms": [10.0, 12.5, 11.0],
        "cases": [record, append],
    }
    return Report(**{**named, **changed})
