"""The report for people: Markdown tables. Owns how figures, cases and targets are spelled; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.carried import carried
from benchmarks.figures import Figure
from benchmarks.promises import PROMISES
from benchmarks.results import CaseResult, Report
from benchmarks.summary import Row

__all__ = [
    "carried_table",
    "case_table",
    "conclusion",
    "heading",
    "machine_table",
    "markdown",
    "summary_table",
]


def markdown(report: Report, rows: Iterable[Row], failures: Sequence[str]) -> str:
    """The whole report."""
    cases = [case_table(case) for case in report.cases]
    return "\n".join([heading(report), *cases, conclusion(report, rows, failures)])


def conclusion(report: Report, rows: Iterable[Row], failures: Sequence[str]) -> str:
    """What comes after the cases."""
    parts = [
        "## Targets",
        "",
        summary_table(rows),
        "",
        "## What one of each carries",
        "",
        carried_table(report),
        "",
    ]
    return "\n".join([*parts, "## The run", "", _closing(report, failures)])


def heading(report: Report) -> str:
    """The title and the machine."""
    return "\n".join([f"# Benchmarks{' (quick)' if report.quick else ''}", "", machine_table(report), ""])


def machine_table(report: Report) -> str:
    """The machine, a line each."""
    rows = [f"| {name} | {told} |" for name, told in report.machine.items()]
    return "\n".join(["| machine | |", "|---|---|", *rows])


def case_table(case: CaseResult) -> str:
    """One case's figures: the median of its rounds, the lowest and the highest, and how it stands to the target."""
    lines = [f"## {case.name}", "", case.about, ""]
    lines += ["| figure | median | low to high | unit | target | |", "|---|---:|---:|---|---|---|"]
    lines += map(_figure_row, case.figures)
    return "\n".join([*lines, "", _took(case), ""])


def summary_table(rows: Iterable[Row]) -> str:
    """A row a target: of all figures that are held against it the one that keeps it least well."""
    lines = ["| | what | target | measured | beside | |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_summary_row, rows)])


def carried_table(report: Report) -> str:
    """What one process and one server carry."""
    lines = ["| | what | a second | case |", "|---|---|---:|---|"]
    lines += [
        f"| {line.who} | {line.what} | {'not measured' if value is None else _round_number(value)} | {line.case} |"
        for line, value in carried(report)
    ]
    return "\n".join(lines)


def _closing(report: Report, failures: Sequence[str]) -> str:
    """What the machine did meanwhile, how long each case took, and what was missed."""
    lines = [
        "| case | seconds | budget | process grew by | store |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {case.name} | {case.seconds:.1f} | {case.budget_seconds:g}{_over(case)} "
        f"| {_megabytes(case.process_megabytes)} | {_megabytes(case.store_megabytes)} |"
        for case in report.cases
    ]
    before, after = (
        ", ".join(f"{load:.2f}" for load in loads) for loads in (report.load_before, report.load_after)
    )
    lines += [
        "",
        f"{sum(case.seconds for case in report.cases):.0f} s in all cases. Load {before} before, {after} after. "
        f"A fixed loop took {report.calibration_median:.1f} ms, {min(report.calibration_ms):.1f} at best and "
        f"{max(report.calibration_ms):.1f} at worst: the machine was up to {report.slowdown:.0%} slower than at its "
        "best.",
        "",
    ]
    if failures:
        lines += [f"{len(failures)} missed:", "", *(f"- {failure}" for failure in failures), ""]
    return "\n".join(lines)


def _took(case: CaseResult) -> str:
    told = f"It took {case.seconds:.1f} s{' (more than its budget)' if _over(case) else ''}"
    if case.process_megabytes is not None:
        told += f"; this process grew by {_megabytes(case.process_megabytes)}"
    if case.store_megabytes is not None:
        told += f", the store by {_megabytes(case.store_megabytes)}"
    return f"{told}. It broke: {case.error}" if case.error else f"{told}."


def _over(case: CaseResult) -> str:
    return " **over**" if case.seconds > case.budget_seconds else ""


def _megabytes(value: float | None) -> str:
    return "" if value is None else f"{_number(value)} MB"


def _figure_row(figure: Figure) -> str:
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    median = "" if figure.median is None else _number(figure.median)
    spread = f"{_number(min(figure.samples))} to {_number(max(figure.samples))}" if figure.samples else ""
    verdict = _verdict(figure.verdict)
    return f"| {name} | {median} | {spread} | {figure.unit} | {figure.target or ''} | {verdict} |"


def _summary_row(row: Row) -> str:
    what = row.what
    if row.figure is not None and row.name in PROMISES:
        what = f"{PROMISES[row.name]}: {row.what}"
    bound = "" if row.target is None else row.target.bound
    if row.figure is not None:
        bound = f"{bound} {row.figure.unit}".rstrip()
    beside = "" if row.beside is None else f"{row.beside.name}: {_with_spread(row.beside)}"
    measured = "" if row.figure is None else _with_spread(row.figure)
    return f"| {row.name} | {what} | {bound} | {measured} | {beside} | {_verdict(row.verdict)} |"


def _with_spread(figure: Figure) -> str:
    if figure.median is None:
        return figure.note
    median = f"{_number(figure.median)} {figure.unit}".rstrip()
    if len(figure.samples) == 1:
        return median
    return f"{median} ({_number(min(figure.samples))} to {_number(max(figure.samples))})"


def _verdict(verdict: str | None) -> str:
    return f"**{verdict}**" if verdict in ("missed", "not measured") else verdict or ""


def _round_number(value: float) -> str:
    """To two figures: nobody plans with more."""
    digits = max(0, len(str(int(value))) - 2)
    return f"{round(value, -digits):,.0f}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
