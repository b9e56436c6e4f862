"""What a run found: every case with its figures, and what the machine was like meanwhile. Owns the shapes and their JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct, field

from benchmarks.figures import Figure

__all__ = ["CaseResult", "Report", "read_report", "write_report"]


class CaseResult(Struct, kw_only=True):
    """One case: what it measured, and what it took to do so."""

    name: str
    about: str
    seconds: float
    budget_seconds: float
    process_megabytes: float | None = None
    """What this process grew by at the most."""
    store_megabytes: float | None = None
    """What the store had allocated at the most; None when the case used none."""
    figures: list[Figure] = field(default_factory=list)
    error: str = ""
    """Why it ended before its time."""


class Report(Struct, kw_only=True):
    """One run."""

    measured_at: str
    quick: bool
    rounds: int
    only: list[str] = field(default_factory=list)
    """The cases that were asked for; empty when all were."""
    machine: Mapping[str, str]
    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]
    calibration_ms: list[float]
    """The same loop before, between and after the cases."""
    cases: list[CaseResult] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything was measured at full size."""
        return not self.quick and not self.only

    @property
    def slowdown(self) -> float:
        """How much slower than at its best the machine was at its worst: 0.1 is a tenth."""
        return max(self.calibration_ms) / min(self.calibration_ms) - 1

    @property
    def calibration_median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.calibration_ms)


def write_report(report: Report, file: Path) -> None:
    """Every sample as JSON, with each figure's median and verdict beside."""
    told = msgspec.to_builtins(report)
    for case, as_told in zip(report.cases, told["cases"], strict=True):
        for figure, one in zip(case.figures, as_told["figures"], strict=True):
            one |= {"median": figure.median, "verdict": figure.verdict}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2))


def read_report(file: Path) -> Report:
    """What was written. Raises `msgspec.ValidationError` for anything else."""
    return msgspec.json.decode(file.read_bytes(), type=Report)
