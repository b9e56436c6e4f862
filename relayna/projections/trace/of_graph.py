"""What analysis is told by an execution graph alone, such as one of an incident: attempts, waits and parents.

Owns which annotations are read. Times are as exact as the graph's: to the millisecond. Pure, and linear.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayna.instants import Instant, parse_instant
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.trace.names import derived_span_id
from relayna.projections.trace.spans import TASK, Source, Span, TraceHistory

__all__ = ["graph_history"]

_ATTEMPTS: Final = ("task_attempt", "stage_attempt")


def graph_history(graph: ExecutionGraph) -> TraceHistory:
    """The history of all tasks in a graph: an attempt was the work, its parent the source, its queue wait the wait."""
    by_task: dict[str, list[tuple[Instant, ExecutionGraphNode]]] = {}
    for node in graph.nodes:
        began = parse_instant(node.timestamp)
        if node.kind in _ATTEMPTS and began is not None and node.annotations.get("role") != "aggregation":
            by_task.setdefault(node.task_id, []).append((began, node))
    waited: dict[str, Instant] = {}
    for task_id, attempts in by_task.items():
        attempts.sort(key=lambda one: one[0])
        began, node = attempts[0 if _staged(attempts) else -1]
        if isinstance(wait := node.annotations.get("queue_wait_ms"), int):
            waited[task_id] = Instant(began - wait * 1_000)
    return TraceHistory(
        session_id=graph.task_id,
        spans=[span for task_id, attempts in by_task.items() for span in _spans(task_id, attempts)],
        outputs=[],
        sources=_sources(graph, by_task.keys()),
        waited_since=waited,
    )


def _spans(task_id: str, attempts: list[tuple[Instant, ExecutionGraphNode]]) -> list[Span]:
    staged = _staged(attempts)
    worked = [_worked(task_id, began, node, staged=staged) for began, node in attempts]
    tasks = [_task(task_id, worked)] if staged else [_task(task_id, [one]) for one in worked]
    return [*tasks, *worked]


def _worked(task_id: str, began: Instant, node: ExecutionGraphNode, *, staged: bool) -> Span:
    told, length = node.annotations, node.annotations.get("duration_ms")
    handler = (
        told.get("stage") or told.get("task_type") or told.get("consumer_name") or told.get("queue_name")
    )
    return Span(
        name=str(handler or "handler"),
        type="compute",
        data_id=task_id,
        start=began,
        end=Instant(began + length * 1_000) if isinstance(length, int) else began,
        span_id=derived_span_id(node.id, 1),
        batch_id=task_id,
        attempt_id=None if staged else node.id,
    )


def _task(task_id: str, worked: list[Span]) -> Span:
    return Span(
        name=TASK,
        type="compute",
        data_id=task_id,
        start=min(span.start for span in worked),
        end=max(span.end for span in worked),
        span_id=derived_span_id(worked[0].attempt_id or task_id, 0),
        attempt_id=worked[0].attempt_id,
    )


def _staged(attempts: list[tuple[Instant, ExecutionGraphNode]]) -> bool:
    return any(node.kind == "stage_attempt" for _, node in attempts)


def _sources(graph: ExecutionGraph, known: Iterable[str]) -> list[Source]:
    runs, tasks = set(known), {node.id: node.task_id for node in graph.nodes}
    told = dict.fromkeys(
        (tasks[edge.source], tasks[edge.target])
        for edge in graph.edges
        if edge.kind == "aggregated_into" and edge.source in tasks and edge.target in tasks
    )
    started = {
        node.task_id: parse_instant(node.timestamp) for node in reversed(graph.nodes) if node.timestamp
    }
    return [
        Source(data_id=child, source_data_id=parent, created_at=started.get(child) or Instant(0))
        for child, parent in told
        if child in runs
    ]
