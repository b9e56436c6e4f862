"""What led to what in an execution graph, as far as failures are passed on.

Owns which edges pass a failure on, and that a task's end is a place of its own: a node's name with `end:` before it.
"""

from __future__ import annotations

from typing import Final

from relayna.instants import Instant, parse_instant
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode

__all__ = ["ATTEMPT_KINDS", "FAILED_STATES", "TASK_KINDS", "causal_edges", "end_of", "state_of"]

ATTEMPT_KINDS: Final = frozenset({"task_attempt", "stage_attempt"})
TASK_KINDS: Final = frozenset({"task", "aggregation_child"})
FAILED_STATES: Final = frozenset({"failed", "dead_lettered", "abandoned"})

_PASSED_ON: Final = frozenset(
    {
        "received_by", "entered_stage", "stage_transitioned_to", "manual_retry_to", "replayed_as", "retried_as",
        "dead_lettered_to", "joined_from",
    }
)  # fmt: skip
_TRIED_AGAIN: Final = frozenset({"retried", "released", "manual_retry", "abandoned"})
"""Outcomes of attempts after which the message is handled again."""


def end_of(task_node: str) -> str:
    """The name of a task's end."""
    return f"end:{task_node}"


def state_of(node: ExecutionGraphNode) -> str:
    """Where it stands."""
    return str(node.annotations.get("state", "unknown"))


def causal_edges(graph: ExecutionGraph) -> dict[str, list[str]]:
    """By name, what follows from it: nodes, and the ends of tasks that failed."""
    nodes = {node.id: node for node in graph.nodes}
    below: dict[str, list[str]] = {}
    parents: dict[str, list[str]] = {}
    first, last = _failure_times(graph)
    for edge in graph.edges:
        if edge.kind in _PASSED_ON and edge.annotations.get("birth") is not False:
            below.setdefault(edge.source, []).append(edge.target)
        elif edge.kind == "aggregated_into" and _has_failed(nodes[edge.target]):
            child, parent = nodes[edge.source], nodes[edge.target]
            parents.setdefault(child.task_id, []).append(parent.id)
            # What failed after its parent had did not take it down.
            if _has_failed(child) and not _is_after(first.get(child.task_id), last.get(parent.task_id)):
                below.setdefault(end_of(child.id), []).append(end_of(parent.id))
    homes = {node.task_id: node.id for node in graph.nodes if _has_failed(node)}
    for node in filter(_ends_its_message, graph.nodes):
        ended = [homes[node.task_id]] if node.task_id in homes else []
        if node.annotations.get("role") == "aggregation":
            # It is recorded with the child, and what it was to do is the parent's.
            ended += parents.get(node.task_id, ())
        below.setdefault(node.id, []).extend(map(end_of, ended))
    return below


def _has_failed(node: ExecutionGraphNode) -> bool:
    return node.kind in TASK_KINDS and state_of(node) in FAILED_STATES


def _ends_its_message(node: ExecutionGraphNode) -> bool:
    if node.kind == "dlq_record":
        return True
    is_over = node.annotations.get("outcome") not in _TRIED_AGAIN
    return node.kind in ATTEMPT_KINDS and state_of(node) in FAILED_STATES and is_over


def _is_after(one: Instant | None, other: Instant | None) -> bool:
    return one is not None and other is not None and one > other


def _failure_times(graph: ExecutionGraph) -> tuple[dict[str, Instant], dict[str, Instant]]:
    """By task, when something of it first failed, and when something last did."""
    first: dict[str, Instant] = {}
    last: dict[str, Instant] = {}
    for node in graph.nodes:
        if node.timestamp is None or state_of(node) not in FAILED_STATES:
            continue
        time = parse_instant(node.timestamp)
        if time is not None:
            first[node.task_id] = min(time, first.get(node.task_id, time))
            last[node.task_id] = max(time, last.get(node.task_id, time))
    return first, last
