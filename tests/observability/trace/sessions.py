"""Sessions in memory for what draws and exports them."""

from __future__ import annotations

from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.projections.trace.profile import ProfileSummary, analyse
from relayna.projections.trace.spans import DUMP, TASK, Source, Span, TraceHistory

__all__ = ["START", "analysed", "circle", "diamond", "span"]

START = 1_767_225_600_000_000


def at(seconds: float) -> Instant:
    return Instant(START + round(seconds * 1_000_000))


def span(data_id: str, name: str, start: float, end: float, kind: str = "network") -> Span:
    batch = data_id if kind == "compute" and name != TASK else None
    return Span(
        name=name,
        type=kind,
        data_id=TaskId(data_id),
        start=at(start),
        end=at(end),
        batch_id=batch,  # type: ignore[arg-type]
    )


def analysed(spans: list[Span], *links: tuple[str, str]) -> ProfileSummary:
    """The analysis of spans, and of links from sources to what was made from them."""
    sources = [
        Source(data_id=data_id, source_data_id=source, created_at=at(number))
        for number, (source, data_id) in enumerate(links)
    ]
    return analyse(TraceHistory(session_id="order-7", spans=spans, outputs=[], sources=sources))


def diamond() -> ProfileSummary:
    """The diamond, and one run that nobody reads."""
    return analysed(
        [
            span("a", TASK, 0, 2, "compute"), span("a", "load", 0, 1, "compute"), span("a", DUMP, 1.5, 2),
            span("b", TASK, 2.5, 5, "compute"), span("b", "gen", 2.5, 4, "compute"), span("b", DUMP, 4, 5),
            span("c", TASK, 2.2, 9, "compute"), span("c", "gen", 2.2, 8, "compute"), span("c", DUMP, 8, 9),
            span("d", TASK, 9.25, 10, "compute"), span("d", "read", 9.25, 9.5), span("d", DUMP, 9.75, 10),
            span("alone", TASK, 0, 0.5, "compute"),
        ],
        ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("stranger", "b"),
    )  # fmt: skip


def circle() -> ProfileSummary:
    """Two runs, each made from the other."""
    return analysed(
        [span("a", TASK, 0, 1, "compute"), span("a", DUMP, 0.5, 1), span("b", TASK, 1, 2, "compute"), span("b", DUMP, 1.5, 2)],
        ("a", "b"), ("b", "a"),
    )  # fmt: skip
