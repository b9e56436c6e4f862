"""Why a task failed, or what it waits for: read off its execution graph.

Owns which failure is a first cause, what it took down, and which failures are independent of the task's end.
Pure and linear; circles end the walk and change nothing else. The sentence is `failure_words.py`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Final

from relayna.projections.causal_edges import ATTEMPT_KINDS, FAILED_STATES, causal_edges, end_of, state_of
from relayna.projections.failure_words import sentence_of
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.task_why import Cause, CauseRole, Failure, TaskWhy
from relayna.projections.waiting import what_it_waits_for

__all__ = ["explain_failure"]

_TOLD: Final = ("outcome", "exception_type", "exception_message", "queue_name", "stage")


def explain_failure(graph: ExecutionGraph) -> TaskWhy:
    """Find the first causes, and what the task waits for if it has not ended."""
    nodes = {node.id: node for node in graph.nodes}
    places = {name: place for place, name in enumerate(nodes)}
    root = next(node for node in graph.nodes if node.kind == "task")
    found: dict[CauseRole, list[Cause]] = {"cause": [], "bystander": [], "recovered": []}
    below = causal_edges(graph)
    led_to_end = _leading_to(end_of(root.id), nodes, below)
    for first, followed in _followed_by(nodes, below).items():
        role = "cause" if first in led_to_end else _role(followed, nodes)
        later = sorted((name for name in followed if name in nodes), key=places.__getitem__)
        took_down = [_failure(nodes[name]) for name in later if _is_failure(nodes[name])]
        found[role].append(Cause(failure=_failure(nodes[first]), role=role, took_down=took_down))
    for causes in found.values():
        causes.sort(key=lambda cause: places[cause.failure.node])
    waits_for = what_it_waits_for(graph, root)
    has_failed = state_of(root) in FAILED_STATES
    return TaskWhy(
        task_id=graph.task_id,
        status=graph.summary.status,
        has_failed=has_failed,
        sentence=sentence_of(graph, root, found["cause"], found["bystander"], waits_for),
        causes=found["cause"],
        bystanders=found["bystander"],
        recovered=found["recovered"],
        waits_for=waits_for,
        graph_completeness=graph.summary.graph_completeness,
    )


def _followed_by(nodes: dict[str, ExecutionGraphNode], below: dict[str, list[str]]) -> dict[str, list[str]]:
    """Of each first cause, what followed from it; each thing follows from one, and nothing from what recovered."""
    first_of: dict[str, str] = {}
    followed: dict[str, list[str]] = {}
    for name in _causes_first([*nodes], below):
        node = nodes.get(name)
        if name in first_of:
            followed[first_of[name]].append(name)
        elif node is not None and node.kind in ATTEMPT_KINDS and state_of(node) in FAILED_STATES:
            first_of[name] = name
            followed[name] = []
        if name in first_of and not _has_worked(node):
            for under in below.get(name, ()):
                first_of.setdefault(under, first_of[name])
    return followed


def _causes_first(names: list[str], below: dict[str, list[str]]) -> Iterator[str]:
    """All names, each after what leads to it; those in a circle last, in their own order."""
    above: dict[str, int] = dict.fromkeys(names, 0)
    for under in chain.from_iterable(below.values()):
        above[under] = above.get(under, 0) + 1
    ready = deque(name for name, count in above.items() if not count)
    told: set[str] = set()
    while ready:
        name = ready.popleft()
        told.add(name)
        yield name
        for under in below.get(name, ()):
            above[under] -= 1
            if not above[under]:
                ready.append(under)
    yield from (name for name in above if name not in told)


def _leading_to(end: str, nodes: dict[str, ExecutionGraphNode], below: dict[str, list[str]]) -> set[str]:
    above: dict[str, list[str]] = {}
    for name, unders in below.items():
        for under in unders:
            above.setdefault(under, []).append(name)
    leading: set[str] = set()
    reached = [end]
    while reached:
        name = reached.pop()
        if name not in leading and not _has_worked(nodes.get(name)):
            leading.add(name)
            reached += above.get(name, ())
    return leading


def _role(followed: list[str], nodes: dict[str, ExecutionGraphNode]) -> CauseRole:
    later = [nodes[name] for name in followed if name in nodes]
    if any(map(_has_worked, later)):
        return "recovered"
    if any(node.kind == "dlq_record" for node in later) or len(later) < len(followed):
        return "bystander"
    return "cause"  # it is still being tried: what comes of it is the task's end


def _has_worked(node: ExecutionGraphNode | None) -> bool:
    return node is not None and node.kind in ATTEMPT_KINDS and state_of(node) == "succeeded"


def _is_failure(node: ExecutionGraphNode) -> bool:
    return node.kind == "dlq_record" or (node.kind in ATTEMPT_KINDS and state_of(node) in FAILED_STATES)


def _failure(node: ExecutionGraphNode) -> Failure:
    told = node.annotations
    return Failure(
        node=node.id,
        event_id=str(told.get("ref", node.id)),
        task_id=node.task_id,
        kind=node.kind,
        label=node.label,
        at=node.timestamp,
        **{name: told.get(name) for name in _TOLD},
    )
