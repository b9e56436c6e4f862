"""Whether a report is one, whatever its figures say: what CI looks at. Owns what must be there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from benchmarks.carried import CARRIED, Carried
from benchmarks.figures import Figure
from benchmarks.results import CaseResult, Report

__all__ = ["faults"]


def faults(report: Report, expected: Sequence[str], lines: Sequence[Carried] = CARRIED) -> list[str]:
    """What is wrong, a line each: every expected case has its figures, and each of them samples that make sense.

    `lines` say what one of each carries: the figures that they are made of are there.
    """
    found = [
        f"{name}: not in the report" for name in expected if name not in {case.name for case in report.cases}
    ]
    for case in report.cases:
        found += (f"{case.name}: {fault}" for fault in _of_case(case, report.rounds))
        found += (f"{case.name}: {fault}" for fault in _unfounded(case, lines))
    return found


def _unfounded(case: CaseResult, lines: Sequence[Carried]) -> Iterator[str]:
    if not all(figure.samples for figure in case.figures):
        return  # something could not be measured here, and says so
    names = {figure.name for figure in case.figures}
    for line in lines:
        if line.case == case.name and not names.issuperset(line.figures):
            yield f"lacks what tells how many {line.what} {line.who} carries: {', '.join(line.figures)}"


def _of_case(case: CaseResult, rounds: int) -> Iterator[str]:
    if case.error:
        yield f"broke: {case.error}"
    if not case.figures:
        yield "has no figure"
    names = [figure.name for figure in case.figures]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        yield f"says twice: {', '.join(repeated)}"
    for figure in case.figures:
        yield from (f"{figure.name}: {fault}" for fault in _of_figure(figure, names, rounds))


def _of_figure(figure: Figure, names: Sequence[str], rounds: int) -> Iterator[str]:
    if figure.beside and figure.beside not in names:
        yield f"stands beside {figure.beside!r}, which is not there"
    if not figure.samples and not figure.note:
        yield "was not measured, and does not say why"
    if 1 < len(figure.samples) < rounds:
        yield f"has {len(figure.samples)} samples of {rounds} rounds"
    if not all(map(math.isfinite, figure.samples)):
        yield "has samples that are no numbers"
    elif not figure.signed and figure.median is not None and figure.median < 0:
        yield "is below zero"
