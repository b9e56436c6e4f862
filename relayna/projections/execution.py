"""The execution graph of a task: the answer of the execution projections.

Owns how the parts are put on one sheet, what is missing, and the summary. What is drawn depends on the
recorded events alone, so one projection serves every kind of topology (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final, TypeAlias

from msgspec import Struct

from relayna.events.history import RecordWarning
from relayna.events.sanitise import storable_text
from relayna.events.status import TERMINAL_STATUSES
from relayna.ids import TaskId
from relayna.instants import UNTIMED, Instant, format_instant, milliseconds_between
from relayna.projections.attempt_nodes import draw_attempts
from relayna.projections.completeness import Gap, has_observations, known_gaps
from relayna.projections.drawing import Drawing, node_id
from relayna.projections.execution_state import ExecutionState, TaskRecords, apply, initial, restore, snapshot
from relayna.projections.family import Family, Kinship, gather_family
from relayna.projections.graph import ExecutionGraph, ExecutionGraphSummary
from relayna.projections.message_nodes import draw_messages
from relayna.projections.projection import Projection
from relayna.projections.task_nodes import (
    draw_dead_letters,
    draw_opaque,
    draw_retries,
    draw_root,
    draw_statuses,
)
from relayna.projections.task_run import TaskRun

__all__ = ["DEFAULT_DEPTH", "ExecutionProjection", "GraphQuery", "execution_projection"]

DEFAULT_DEPTH: Final = 3
_WARNINGS_SHOWN: Final = 1_000
_NOTHING_KNOWN: Final = TaskRecords()


class GraphQuery(Struct, frozen=True, kw_only=True):
    """What is asked of an execution."""

    at: Instant | None = None
    """Only what had happened by then; completeness is judged on all that is stored."""
    depth: int = DEFAULT_DEPTH
    """Generations of children that are drawn with their own attempts."""
    max_nodes: int | None = None
    related_task_ids: tuple[TaskId, ...] = ()
    """Children that the caller knows of."""
    terminal_statuses: tuple[str, ...] = ()
    """Statuses that end a task here, beside the usual ones."""


ExecutionProjection: TypeAlias = Projection[ExecutionState, GraphQuery, ExecutionGraph]


def execution_projection(kind: str) -> ExecutionProjection:
    """The projection of one kind of topology."""

    def finish(state: ExecutionState, query: GraphQuery) -> ExecutionGraph:
        return _finish(state, query, kind)

    return Projection(
        name=kind, version=1, initial=initial, apply=apply, finish=finish, snapshot=snapshot, restore=restore
    )


def _finish(state: ExecutionState, query: GraphQuery, kind: str) -> ExecutionGraph:
    terminal = TERMINAL_STATUSES
    if query.terminal_statuses:
        terminal = terminal.union(query.terminal_statuses)
    family = _family(state, query, terminal, at=query.at)
    drawing = Drawing()
    _draw(family, state, drawing, terminal)
    gaps = _gaps(state, family if query.at is None else _family(state, query, terminal, at=None))
    truncated = _cut(drawing, family, query)
    if truncated:
        gaps.append(Gap(reason="limit_reached", task_id=state.root))
    annotations: dict[str, Any] = {  # Any: JSON values
        "completeness": sorted({gap.reason for gap in gaps}),
        "gaps": [
            gap.shown() for gap in gaps if gap.attempt is not None or gap.detail or gap.task_id != state.root
        ],
        "warnings": _warnings(state, family),
        "truncated": truncated,
        "at": None if query.at is None else format_instant(query.at),
    }
    return ExecutionGraph(
        task_id=state.root,
        topology_kind=kind,
        summary=_summary(family.runs[state.root], drawing, gaps),
        nodes=drawing.nodes(),
        edges=drawing.edges(),
        annotations={name: value for name, value in annotations.items() if value},
        related_task_ids=sorted({kinship.child for kinship in family.kinships} - {state.root}),
    )


def _family(
    state: ExecutionState, query: GraphQuery, terminal: Collection[str], *, at: Instant | None
) -> Family:
    related = [TaskId(storable_text(task_id)) for task_id in query.related_task_ids]
    depth = max(0, query.depth)
    return gather_family(state, at=at, depth=depth, related=related, terminal_statuses=terminal)


def _draw(family: Family, state: ExecutionState, drawing: Drawing, terminal: Collection[str]) -> None:
    homes = {task_id: node_id("aggregation_child", task_id) for task_id in (*family.runs, *family.beyond)}
    homes[state.root] = node_id("task", state.root)
    for task_id, run in family.runs.items():
        home = homes[task_id]
        draw_root(run, home, drawing, terminal)
        if not run.ordered:
            continue
        draw_attempts(run, home, drawing)
        draw_retries(run, home, drawing)
        draw_dead_letters(run, home, drawing)
        draw_statuses(run, home, drawing)
        draw_messages(run, home, drawing)
        draw_opaque(run, drawing)
    for task_id in family.beyond:
        draw_root(TaskRun(task_id, {}), homes[task_id], drawing, expanded=False)
    for kinship in family.kinships:
        _draw_kinship(kinship, homes, drawing)


def _draw_kinship(kinship: Kinship, homes: dict[TaskId, str], drawing: Drawing) -> None:
    drawing.edge(
        homes[kinship.child],
        homes[kinship.parent],
        "aggregated_into",
        time=kinship.ended_at,
        evidence=kinship.evidence,
        rule=kinship.rule,
        more=None if kinship.ended_as is None else {"status": kinship.ended_as},
    )


def _gaps(state: ExecutionState, family: Family) -> list[Gap]:
    gaps: list[Gap] = []
    root = family.runs[state.root]
    if not has_observations(root):
        gaps.append(Gap(reason="no_observations", task_id=state.root))
    for task_id, run in family.runs.items():
        gaps += known_gaps(run, _records(state, task_id).facts)
    for kinship in family.kinships:
        gaps += _absence(state, family, kinship)
    if family.circular:
        gaps.append(Gap(reason="cycle", task_id=state.root))
    return gaps


def _absence(state: ExecutionState, family: Family, kinship: Kinship) -> Iterable[Gap]:
    """A child that the parent says has ended must have a history."""
    records = _records(state, kinship.child)
    if not kinship.parent_says_ended or kinship.child not in family.runs or records.events:
        return
    names = {fact.name for fact in records.facts}
    if "limit_reached" not in names:
        yield Gap(reason="child_expired" if "expired" in names else "child_missing", task_id=kinship.child)


def _cut(drawing: Drawing, family: Family, query: GraphQuery) -> dict[str, Any] | None:  # Any: JSON values
    total = drawing.size
    left_out = drawing.cut(query.max_nodes) if query.max_nodes is not None and total > query.max_nodes else 0
    if not left_out and not family.beyond:
        return None
    truncated: dict[str, Any] = {}  # Any: JSON values
    if left_out:
        truncated["max_nodes"] = {
            "nodes_left_out": left_out,
            "hint": f"ask again with max_nodes={total}, or for one of related_task_ids",
        }
    if family.beyond:
        truncated["depth"] = {
            "children_not_expanded": len(family.beyond),
            "hint": f"ask again with depth={query.depth + 1}, or for one of the children",
        }
    return truncated


def _summary(root: TaskRun, drawing: Drawing, gaps: list[Gap]) -> ExecutionGraphSummary:
    latest = root.statuses[-1] if root.statuses else None
    started = drawing.earliest
    # Never before `started`: a status is among the nodes of which that is the earliest time.
    ended = latest.placed.time if latest is not None and latest.placed.time != UNTIMED else drawing.latest
    known = started is not None and ended is not None
    return ExecutionGraphSummary(
        status=latest.text if latest is not None else None,
        started_at=None if started is None else format_instant(started),
        ended_at=None if ended is None else format_instant(ended),
        duration_ms=milliseconds_between(started, ended) if known else None,  # type: ignore[arg-type]
        graph_completeness="partial" if gaps else "full",
    )


def _warnings(state: ExecutionState, family: Family) -> list[dict[str, str]]:
    found: set[RecordWarning] = set()
    for task_id, run in family.runs.items():
        records = _records(state, task_id)
        if records.warnings:
            found |= records.warnings
        for own_id in records.disputed:
            detail = f"different records were told under the id {own_id}"
            found.add(RecordWarning(task_id=task_id, code="conflicting_records", detail=detail))
        for placed in run.opaque:
            detail = f"{placed.own_id} cannot be read: {_problem(placed.event.body)}"
            found.add(RecordWarning(task_id=task_id, code="unreadable_record", detail=detail))
        kinds = _kinds(records) if len(records.facts) > 1 else []
        if len(kinds) > 1:
            detail = f"its records name several kinds of topology: {', '.join(kinds)}"
            found.add(RecordWarning(task_id=task_id, code="several_topology_kinds", detail=detail))
    listed = sorted(found, key=lambda warning: (warning.task_id, warning.code, warning.detail))
    shown = [
        {"code": one.code, "task_id": one.task_id, "detail": one.detail} for one in listed[:_WARNINGS_SHOWN]
    ]
    if len(listed) > _WARNINGS_SHOWN:
        more = f"{len(listed) - _WARNINGS_SHOWN} more are not shown"
        shown.append({"code": "warnings_cut", "task_id": state.root, "detail": more})
    return shown


def _kinds(records: TaskRecords) -> list[str]:
    return sorted(fact.value or "" for fact in records.facts if fact.name == "topology_kind")


def _problem(body: object) -> str:
    told = (getattr(body, name, None) for name in ("reason", "type_name", "problem"))
    return ", ".join(str(one) for one in told if one)


def _records(state: ExecutionState, task_id: TaskId) -> TaskRecords:
    return state.tasks.get(task_id) or _NOTHING_KNOWN
