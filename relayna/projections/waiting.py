"""What a task that has not ended waits for, read off its execution graph. Owns the rules; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from relayna.instants import Instant, format_instant, parse_instant
from relayna.projections.causal_edges import ATTEMPT_KINDS, state_of
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.task_why import Awaited, AwaitedKind

__all__ = ["what_it_waits_for"]

_ENDED: Final = frozenset({"succeeded", "failed", "dead_lettered", "abandoned"})


def what_it_waits_for(graph: ExecutionGraph, root: ExecutionGraphNode) -> list[Awaited]:
    """In the order of the graph; nothing for a task that has ended."""
    if state_of(root) in _ENDED:
        return []
    awaited = [*_of_nodes(graph), *_children(graph)]
    if not awaited and state_of(root) == "queued":
        awaited.append(_awaited("message", root))
    return awaited


def _of_nodes(graph: ExecutionGraph) -> Iterator[Awaited]:
    for node in graph.nodes:
        state = state_of(node)
        if node.kind == "retry" and state == "retrying":
            yield _awaited("retry", node, due_at=_due(node))
        elif node.kind == "workflow_message" and state == "queued":
            yield _awaited("message", node)
        elif node.kind in ATTEMPT_KINDS and state == "running":
            yield _awaited("attempt", node)


def _children(graph: ExecutionGraph) -> Iterator[Awaited]:
    nodes = {node.id: node for node in graph.nodes}
    for edge in graph.edges:
        child = nodes[edge.source]
        # One that runs or is to be retried is told of by its attempts and retries.
        if (
            edge.kind == "aggregated_into"
            and edge.timestamp is None
            and state_of(child) not in _TOLD_BY_NODES
        ):
            yield _awaited("child", child)


_TOLD_BY_NODES: Final = _ENDED | {"running", "retrying"}


def _awaited(kind: AwaitedKind, node: ExecutionGraphNode, *, due_at: str | None = None) -> Awaited:
    return Awaited(
        kind=kind,
        node=node.id,
        event_id=str(node.annotations.get("ref", node.id)),
        task_id=node.task_id,
        label=node.label,
        since=node.timestamp,
        due_at=due_at,
        queue_name=node.annotations.get("queue_name"),
    )


def _due(retry: ExecutionGraphNode) -> str | None:
    scheduled = parse_instant(retry.timestamp) if retry.timestamp else None
    delay = retry.annotations.get("delay_ms")
    if scheduled is None or not isinstance(delay, int):
        return None
    return format_instant(Instant(scheduled + delay * 1000))
