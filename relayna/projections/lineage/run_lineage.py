"""Runs and the edges between them, of a task and all tasks that its history was read with.

Owns the fold: each task becomes one run, and every run gets at most one birth. What single events say of edges
`told_edges.py` knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from msgspec.structs import replace

from relayna.events import ChildFinished, ChildRegistered, RecordedEvent, UsageRecorded
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.attempts import AGGREGATION, Attempt
from relayna.projections.execution import GraphQuery
from relayna.projections.execution_state import ExecutionState, apply, initial, restore, snapshot
from relayna.projections.fact_ids import is_copy
from relayna.projections.gathering import gather_task_run
from relayna.projections.lineage.run_edges import Run, RunEdge, RunLineage
from relayna.projections.lineage.run_facts import run_of
from relayna.projections.lineage.told_edges import RunTimes, chosen_births, recorded_edges
from relayna.projections.ordering import PlacedEvent, in_causal_order
from relayna.projections.projection import Projection
from relayna.projections.task_run import TaskRun

__all__ = ["RUN_LINEAGE", "RunLineageProjection", "own_lineage"]

RunLineageProjection: TypeAlias = Projection[ExecutionState, GraphQuery, RunLineage]

_MOST: Final = 2**53
"""More than that many dollars or tokens is nobody's bill, and no reader of JSON can hold it."""


def _finish(state: ExecutionState, query: GraphQuery) -> RunLineage:
    """Of the query, `at` and `terminal_statuses` matter: what is in the history is in the answer."""
    histories = {
        task_id: {
            own: event
            for own, event in records.events.items()
            if query.at is None or event.envelope.timestamp <= query.at
        }
        for task_id, records in sorted(state.tasks.items())
    }
    times = _corrected_times(histories)
    runs = {task_id: gather_task_run(task_id, events) for task_id, events in histories.items() if events}
    return _joined(runs, times, state, query)


def own_lineage(run: TaskRun, state: ExecutionState, query: GraphQuery) -> RunLineage:
    """What a task's own stream tells, when that was put together already: the same as the projection says of it."""
    times = {placed.own_id: Instant(placed.key[0]) for placed in run.ordered}
    return _joined({run.task_id: run} if run.ordered else {}, times, state, query)


def _joined(
    runs: Mapping[TaskId, TaskRun], times: RunTimes, state: ExecutionState, query: GraphQuery
) -> RunLineage:
    recorded = recorded_edges(runs, times)
    births = chosen_births(runs, times, recorded)
    others = [edge for edge in recorded if not edge.is_birth]
    retries = [edge for run in runs.values() for edge in _retries(run, times)]
    edges = _charged([*births.values(), *others, *retries], runs)
    named = {*runs, *(edge.target for edge in edges), *(edge.source for edge in edges if edge.source)}
    sessions = _sessions(runs, births, named)
    edges = [replace(edge, session_id=sessions[edge.target]) for edge in edges]
    edges.sort(key=lambda edge: (edge.at, edge.edge_id, edge.kind, edge.source or "", edge.target))
    told = {run_id: Run(run_id=run_id, session_id=sessions[run_id]) for run_id in sorted(named)}
    for task_id, history in runs.items():
        facts, terminal = state.tasks[task_id].facts, query.terminal_statuses
        told[task_id] = run_of(told[task_id], history, facts, times=times, terminal_statuses=terminal)
    return RunLineage(runs=told, edges=edges)


RUN_LINEAGE: Final[RunLineageProjection] = Projection(
    name="run_lineage",
    version=4,
    initial=initial,
    apply=apply,
    finish=_finish,
    snapshot=snapshot,
    restore=restore,
)
"""The projection."""


def _corrected_times(histories: Mapping[TaskId, Mapping[EventId, RecordedEvent]]) -> RunTimes:
    """The time of each fact, corrected over all tasks: a child is never born before its parent asked for it."""
    facts: dict[EventId, RecordedEvent] = {}
    for events in histories.values():
        for own_id, event in events.items():
            if own_id not in facts or (is_copy(facts[own_id].envelope) and not is_copy(event.envelope)):
                facts[own_id] = event
    placed, _ = in_causal_order(facts)
    return {one.own_id: Instant(one.key[0]) for one in placed}


def _retries(run: TaskRun, times: RunTimes) -> Iterator[RunEdge]:
    for attempt in _later_attempts(run):
        own_id = attempt.opened.own_id if attempt.opened else EventId(attempt.ref)
        yield RunEdge(
            edge_id=own_id,
            kind="retry",
            source=run.task_id,
            target=run.task_id,
            at=times.get(own_id, Instant(attempt.key[0])),
            session_id="",
        )


def _later_attempts(run: TaskRun) -> Iterator[Attempt]:
    """Those that handle again what was handled before; the first of a stage's message is a step, and no retry."""
    handled: set[tuple[str, str | None]] = set()
    for attempt in run.attempts.members:
        if attempt.lane == AGGREGATION:
            continue
        message_id = attempt.received.message_id if attempt.received and attempt.stage else None
        work = (attempt.lane, message_id)
        if work in handled or (attempt.stage and run.births[attempt.ref].source is not None):
            yield attempt
        handled.add(work)


def _charged(edges: list[RunEdge], runs: Mapping[TaskId, TaskRun]) -> list[RunEdge]:
    """What attempts used is on the edges by which they came about: each unit on one edge."""
    used: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for task_id, run in runs.items():
        retried = {
            attempt.ref: attempt.opened.own_id if attempt.opened else attempt.ref
            for attempt in _later_attempts(run)
        }
        for placed in run.ordered:
            body = placed.event.body
            if isinstance(body, UsageRecorded) and not is_copy(placed.event.envelope):
                charged = task_id, retried.get(placed.event.envelope.attempt_id or "", "")
                cost, tokens = used[charged]
                used[charged] = cost + max(body.cost, 0), tokens + max(body.tokens, 0)
    return [_with_usage(edge, used) for edge in edges]


def _with_usage(edge: RunEdge, used: Mapping[tuple[str, str], tuple[int, int]]) -> RunEdge:
    key = (edge.target, edge.edge_id if edge.kind == "retry" else "")
    cost, tokens = used.get(key, (0, 0)) if edge.is_birth or edge.kind == "retry" else (0, 0)
    return replace(
        edge,
        cost_attributed=min(max(edge.cost_attributed, 0) + cost, _MOST),
        tokens_attributed=min(max(edge.tokens_attributed, 0) + tokens, _MOST),
    )


def _sessions(
    runs: Mapping[TaskId, TaskRun], births: Mapping[str, RunEdge], named: Iterable[str]
) -> dict[str, str]:
    """What a run's own records say; else its parent's session; else it is the root of one."""
    found: dict[str, str] = {}
    for start in sorted(named):
        path: dict[str, None] = {}
        at: str | None = start
        session: str | None = None
        while at is not None and session is None and at not in path:
            path[at] = None
            session = found.get(at) or _session_told(runs.get(TaskId(at)))
            birth = births.get(at)
            within = birth is not None and birth.kind not in ("cross_session_bridge", "replayed_from")
            at = birth.source if birth is not None and within else None
        session = session or next(reversed(path))
        found.update((one, session) for one in path if one not in found)
    return found


def _session_told(run: TaskRun | None) -> str | None:
    if run is None:
        return None
    # What a recorder leaves here of a child names the child's session, which may be another.
    told = (placed for placed in run.ordered if placed.event.envelope.session_id)
    own = min(told, key=_is_of_child, default=None)
    return None if own is None else own.event.envelope.session_id


def _is_of_child(placed: PlacedEvent) -> bool:
    event = placed.event
    return isinstance(event.body, ChildRegistered | ChildFinished) and event.envelope.attempt_id is None
