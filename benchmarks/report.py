"""The report: a Markdown table for people and JSON for later comparison. Owns both forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from benchmarks.case import Case
from benchmarks.figures import Figure
from relayna.clock import SystemClock
from relayna.instants import format_instant

__all__ = ["RESULTS", "case_table", "machine_table", "write_results"]

RESULTS = Path(__file__).parent / "results"


def machine_table(machine: Mapping[str, str]) -> str:
    """The machine, a line each."""
    return "\n".join(
        ["| machine | |", "|---|---|", *(f"| {name} | {told} |" for name, told in machine.items())]
    )


def case_table(case: Case, figures: Iterable[Figure]) -> str:
    """One case's figures: the median of its rounds, the lowest and the highest, and the target."""
    lines = [f"## {case.name}", "", case.about, ""]
    lines += ["| figure | median | low to high | unit | target | met |", "|---|---:|---:|---|---|---|"]
    return "\n".join([*lines, *map(_row, figures), ""])


def write_results(
    machine: Mapping[str, str], results: Mapping[str, list[Figure]], *, quick: bool, file: Path | None
) -> Path:
    """Keep every sample as JSON, in `file` or under a name of its own in `benchmarks/results/`."""
    now = format_instant(SystemClock().now())
    path = file or RESULTS / f"{now[:19].replace(':', '')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = {
        name: [
            {**msgspec.to_builtins(figure), "median": figure.median, "met": figure.met} for figure in figures
        ]
        for name, figures in results.items()
    }
    report = {"measured_at": now, "quick": quick, "machine": machine, "cases": cases}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    return path


def _row(figure: Figure) -> str:
    met = {True: "yes", False: "**no**", None: ""}[figure.met]
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    median = "" if figure.median is None else _number(figure.median)
    spread = f"{_number(min(figure.samples))} to {_number(max(figure.samples))}" if figure.samples else ""
    return f"| {name} | {median} | {spread} | {figure.unit} | {figure.target or ''} | {met} |"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
