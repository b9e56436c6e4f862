"""What events say of edges between runs: births above all, of which every run gets at most one.

Owns which events say an edge, and which of several births is the one: a recorded one, else the dispatch that the
parent's attempt told, else a start from outside, else what only names a parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from msgspec.structs import replace

from relayna.events import (
    ChildFinished,
    ChildRegistered,
    RunEdgeRecorded,
    TaskMessageReceived,
    TaskPublished,
    WorkflowMessagePublished,
    WorkflowMessageReceived,
)
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.fact_ids import is_copy
from relayna.projections.kinship import first_parent_told, parent_told_by
from relayna.projections.lineage.run_edges import (
    BIRTH_KINDS,
    EDGE_KINDS,
    SELF_KINDS,
    RunEdge,
    RunEdgeKind,
)
from relayna.projections.ordering import PlacedEvent
from relayna.projections.task_run import TaskRun

__all__ = ["RunTimes", "chosen_births", "recorded_edges"]

RunTimes: TypeAlias = Mapping[EventId, Instant]
"""The corrected time of each fact."""

_RECORDABLE: Final[dict[str, RunEdgeKind]] = {
    kind: kind for kind in EDGE_KINDS if kind not in ("retry", "span_tree_fallback")
}
"""Attempts say of themselves that there were more; the fallback is nobody's word."""
_FROM_OUTSIDE: Final = ("user_start", "domain_callback")
_STARTING: Final = (TaskPublished, TaskMessageReceived, WorkflowMessagePublished, WorkflowMessageReceived)


def recorded_edges(runs: Mapping[TaskId, TaskRun], times: RunTimes) -> list[RunEdge]:
    """Edges that were recorded as such, each once, whichever stream tells it."""
    found: dict[str, RunEdge] = {}
    for run in runs.values():
        for placed in run.ordered:
            body = placed.event.body
            if isinstance(body, RunEdgeRecorded) and (edge := _recorded(placed, body, times)):
                found.setdefault(edge.edge_id, edge)
    return list(found.values())


def chosen_births(
    runs: Mapping[TaskId, TaskRun], times: RunTimes, recorded: Iterable[RunEdge]
) -> dict[str, RunEdge]:
    """By run, the one birth that it has, if any is known; `recorded` are the edges that were recorded as such."""
    births: dict[str, RunEdge] = {}
    told = (edge for edge in recorded if edge.is_birth)
    for edges in (told, _spawns(runs, times), _starts(runs, times), _fallbacks(runs, times)):
        # What comes first in these four is the better word, and stands.
        for edge in sorted(edges, key=lambda one: (one.at, one.edge_id, one.source or "")):
            if edge.source != edge.target:
                births.setdefault(edge.target, edge)
    return births


def _recorded(placed: PlacedEvent, body: RunEdgeRecorded, times: RunTimes) -> RunEdge | None:
    kind, source, target = _RECORDABLE.get(body.kind), body.source_run, body.target_run
    if kind in SELF_KINDS:
        source = target
    elif kind in _FROM_OUTSIDE:
        source = None
    elif kind == "signal_fire" and source is None:
        kind = "user_start"
    elif source is None or source == target:
        return None
    if kind is None or not target:
        return None
    is_birth = kind in BIRTH_KINDS and not (kind == "domain_callback" and body.wakes)
    return RunEdge(
        edge_id=placed.own_id,
        kind=kind,
        source=source,
        target=target,
        at=times[placed.own_id],
        session_id="",
        is_birth=is_birth,
        variant=body.variant,
        # What waits or wakes uses nothing by itself: attempts do, and theirs is on births and retries.
        cost_attributed=body.cost_attributed if is_birth else 0,
        tokens_attributed=body.tokens_attributed if is_birth else 0,
        label=body.label,
        metadata=body.metadata,
        group_key=body.group_key,
    )


def _spawns(runs: Mapping[TaskId, TaskRun], times: RunTimes) -> Iterator[RunEdge]:
    """What a parent's attempt dispatched: told in the parent's stream, and in the child's."""
    for task_id, run in runs.items():
        for placed in run.ordered:
            body = placed.event.body
            told_by_attempt = placed.event.envelope.attempt_id is not None
            if isinstance(body, ChildRegistered) and told_by_attempt and body.child_task_id:
                spawn = _birth("spawn", task_id, body.child_task_id, placed, times)
                yield replace(spawn, variant=body.variant, label=body.label, group_key=body.group_key)
    # The same facts again, and they know less; they come after, and `sorted` keeps equals in their order.
    for task_id, run in runs.items():
        for placed in run.ordered:
            if not isinstance(placed.event.body, TaskPublished) or not is_copy(placed.event.envelope):
                continue
            parent = parent_told_by(placed.event)
            if parent is not None:
                yield _birth("spawn", parent, task_id, placed, times)


def _starts(runs: Mapping[TaskId, TaskRun], times: RunTimes) -> Iterator[RunEdge]:
    """Tasks that nobody is known to be the parent of."""
    fostered = {child for run in runs.values() for child in run.children}
    for task_id, run in runs.items():
        if task_id in fostered or first_parent_told(placed.event for placed in run.ordered):
            continue
        first = next((placed for placed in run.ordered if isinstance(placed.event.body, _STARTING)), None)
        if first is not None:
            yield _birth("user_start", None, task_id, first, times)


def _fallbacks(runs: Mapping[TaskId, TaskRun], times: RunTimes) -> Iterator[RunEdge]:
    """A parent is named, and nobody says how it led to the task: the task's own word, else the parent's."""
    settled: set[TaskId] = set()
    for task_id, run in runs.items():
        for placed in run.ordered:
            parent = parent_told_by(placed.event)
            if parent is not None:
                settled.add(task_id)
                yield _birth("span_tree_fallback", parent, task_id, placed, times)
                break
    for task_id, run in runs.items():
        for placed in run.ordered:
            body = placed.event.body
            if isinstance(body, ChildRegistered | ChildFinished) and body.child_task_id not in settled:
                yield _birth("span_tree_fallback", task_id, body.child_task_id, placed, times)


def _birth(
    kind: RunEdgeKind, source: TaskId | None, target: TaskId, placed: PlacedEvent, times: RunTimes
) -> RunEdge:
    return RunEdge(
        edge_id=placed.own_id,
        kind=kind,
        source=source,
        target=target,
        at=times[placed.own_id],
        session_id="",
        is_birth=True,
    )
