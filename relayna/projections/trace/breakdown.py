"""Where the time went: a set of spans summed by name. Owns the arithmetic; pure.

Of compute, total is what carries a batch id, the rest is over all; of network, total is the time in which at
least one such span was open, since they overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from relayna.projections.trace.spans import TASK, Span, seconds

__all__ = ["Breakdown", "PhaseTable", "break_down", "open_microseconds"]


class PhaseTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row for each name, as parallel lists in order of first appearance."""

    event_type: list[str] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    total_seconds: list[float] = field(default_factory=list)
    avg_seconds: list[float] = field(default_factory=list)
    min_seconds: list[float] = field(default_factory=list)
    max_seconds: list[float] = field(default_factory=list)


class Breakdown(Struct, frozen=True, kw_only=True):
    """The sums of a set of spans."""

    hardware_summary: PhaseTable
    network_summary: PhaseTable
    workflow_duration_seconds: float
    total_network_seconds: float


def break_down(spans: Iterable[Span]) -> Breakdown:
    """Sum spans that are in order of their beginnings. Markers count for nothing, tasks for the wall clock only."""
    tasks: list[Span] = []
    compute: dict[str, list[Span]] = {}
    network: dict[str, list[Span]] = {}
    for span in spans:
        if span.type == "marker":
            continue
        if span.name == TASK:
            tasks.append(span)
        elif span.type == "compute":
            compute.setdefault(span.name, []).append(span)
        elif span.type == "network":
            network.setdefault(span.name, []).append(span)
    wall = max(task.end for task in tasks) - min(task.start for task in tasks) if tasks else 0
    return Breakdown(
        hardware_summary=_table(
            {name: (of, sum(span.duration for span in of if span.batch_id)) for name, of in compute.items()}
        ),
        network_summary=_table({name: (of, open_microseconds(of)) for name, of in network.items()}),
        workflow_duration_seconds=seconds(max(wall, 0)),
        total_network_seconds=seconds(open_microseconds(span for of in network.values() for span in of)),
    )


def open_microseconds(spans: Iterable[Span]) -> int:
    """For how long at least one of the spans was open; those that touch are one."""
    total, reached = 0, None
    for start, end in sorted((span.start, span.end) for span in spans):
        if reached is None or start > reached:
            total, reached = total + max(end - start, 0), end
        elif end > reached:
            total, reached = total + end - reached, end
    return total


def _table(by_name: dict[str, tuple[Sequence[Span], int]]) -> PhaseTable:
    durations = [[span.duration for span in spans] for spans, _ in by_name.values()]
    return PhaseTable(
        event_type=list(by_name),
        count=[len(of) for of in durations],
        total_seconds=[seconds(total) for _, total in by_name.values()],
        avg_seconds=[seconds(sum(of) / len(of)) for of in durations],
        min_seconds=[seconds(min(of)) for of in durations],
        max_seconds=[seconds(max(of)) for of in durations],
    )
