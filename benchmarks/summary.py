"""Each target with the figure that keeps it least well, and what a run fails for. Owns the arithmetic, spells no table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from benchmarks import targets
from benchmarks.figures import Figure, Target, Verdict
from benchmarks.promises import PROMISES
from benchmarks.results import CaseResult, Report

__all__ = ["TARGETS", "Row", "failures", "summary"]

TARGETS: Final[Mapping[str, Target]] = {
    name.lower().replace("_", " "): target
    for name, target in vars(targets).items()
    if isinstance(target, Target)
}
"""All that figures are held against, by what they are called."""

_SEVERITY: Final[tuple[Verdict, ...]] = ("met", "within noise", "not measured", "missed")


class Row(Struct, frozen=True, kw_only=True):
    """One target: how the figure that keeps it least well stands to it."""

    name: str
    what: str
    verdict: Verdict
    target: Target | None = None
    """None where nothing measures what was promised."""
    case: str = ""
    figure: Figure | None = None
    beside: Figure | None = None
    """The limit or the peer of that figure."""


def summary(report: Report, known: Mapping[str, Target] = TARGETS) -> list[Row]:
    """A row for every target of what was measured, P1 to P12 first; in a run of all cases, of all `known` ones too."""
    rows = list(_measured(report.cases))
    if not report.only:
        measured = {row.target for row in rows}
        rows += (
            Row(name=target.name, what=name, verdict="not measured", target=target)
            for name, target in known.items()
            if target not in measured
        )
        named = {row.name for row in rows}
        rows += (
            Row(name=name, what=what, verdict="not measured")
            for name, what in PROMISES.items()
            if name not in named
        )
    order = [*PROMISES, *dict.fromkeys(row.name for row in rows if row.name not in PROMISES)]
    return sorted(rows, key=lambda row: order.index(row.name))


def failures(report: Report, known: Mapping[str, Target] = TARGETS) -> list[str]:
    """What the run fails for, a line each: cases that broke, figures that missed; in a whole run, what is not there."""
    found = [f"{case.name}: broke: {case.error}" for case in report.cases if case.error]
    for case in report.cases:
        found += (f"{case.name}: {_told(figure)}" for figure in case.figures if figure.verdict == "missed")
    if report.is_whole:
        found += (
            f"{row.name}: not measured: {row.what}{_reason(row)}"
            for row in summary(report, known)
            if row.verdict == "not measured"
        )
    return found


def _measured(cases: Iterable[CaseResult]) -> Iterator[Row]:
    held: dict[tuple[Target, str], list[Row]] = {}
    for case in cases:
        by_name = {figure.name: figure for figure in case.figures}
        for figure in case.figures:
            if figure.target is not None and figure.verdict is not None:
                row = Row(
                    name=figure.target.name,
                    what=figure.name,
                    verdict=figure.verdict,
                    target=figure.target,
                    case=case.name,
                    figure=figure,
                    beside=by_name.get(figure.beside),
                )
                held.setdefault((figure.target, figure.unit), []).append(row)
    for rows in held.values():
        yield max(rows, key=_badness)


def _badness(row: Row) -> tuple[int, float]:
    if row.figure is None or row.target is None or row.figure.median is None:
        return _SEVERITY.index(row.verdict), 0.0
    median = row.figure.median
    return _SEVERITY.index(row.verdict), median if row.target.most is not None else -median


def _told(figure: Figure) -> str:
    return f"{figure.name}: {figure.median:,.4g} {figure.unit}, and no round kept {figure.target}"


def _reason(row: Row) -> str:
    return f" ({row.figure.note})" if row.figure is not None and row.figure.note else ""
