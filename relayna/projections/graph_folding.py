"""Many nodes alike folded into the first of them, which then says for how many it stands.

Owns which nodes are alike. Linear, without recursion: any graph is taken, also one whose edges run in a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from relayna.instants import UNTIMED, parse_instant
from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge, ExecutionGraphNode
from relayna.projections.hangings import hangings

__all__ = ["Collapse", "fold"]

Collapse: TypeAlias = Literal["children", "attempts", "statuses"]
"""`children`: those of one parent in the same state, with all that happened in them. `attempts`: those of one
message that were retried, one after the other, with the retries between them. `statuses`: those with the same
text of one attempt or task."""

_REFS_TOLD: Final = 5
_ATTEMPTS: Final = ("task_attempt", "stage_attempt")


class _Folds(Struct):
    """What is to be done."""

    members: dict[str, list[str]] = field(default_factory=dict)
    """By the node that stays: all that it stands for, itself first."""
    between: dict[str, str] = field(default_factory=dict)
    """What lies between members, and the node that stays in its place."""
    gone: set[str] = field(default_factory=set)
    """What is left out with its edges."""


def fold(graph: ExecutionGraph, collapse: Collapse) -> ExecutionGraph:
    """The graph with nodes of this kind folded. Edges of a folded node lead to the one that stands for it."""
    folds = _FOLDS[collapse](graph)
    into = {member: head for head, members in folds.members.items() for member in members[1:]}
    into |= folds.between
    if not into and not folds.gone:
        return graph
    nodes = {node.id: node for node in graph.nodes}
    hidden = into.keys() | folds.gone
    return replace(
        graph,
        nodes=[
            _standing_for(node, [nodes[one] for one in folds.members.get(node.id, ())])
            for node in graph.nodes
            if node.id not in hidden
        ],
        edges=list(_redirected(graph.edges, into, folds.gone)),
    )


def _standing_for(head: ExecutionGraphNode, members: list[ExecutionGraphNode]) -> ExecutionGraphNode:
    if len(members) < 2:
        return head
    times = [(parse_instant(node.timestamp) or UNTIMED, node.timestamp) for node in members]
    collapsed: dict[str, Any] = {  # Any: JSON values
        "count": sum(_count(node) for node in members),
        "refs": [node.annotations.get("ref") for node in members[:_REFS_TOLD]],
        "until": max(times, key=lambda time: time[0])[1],
    }
    told = {name: value for name, value in collapsed.items() if value is not None}
    return replace(head, annotations={**head.annotations, "collapsed": told})


def _count(node: ExecutionGraphNode) -> int:
    collapsed = node.annotations.get("collapsed")
    count = collapsed.get("count") if isinstance(collapsed, dict) else None
    return count if isinstance(count, int) else 1


def _redirected(
    edges: Iterable[ExecutionGraphEdge], into: Mapping[str, str], gone: set[str]
) -> Iterable[ExecutionGraphEdge]:
    edges = list(edges)
    known = {(edge.source, edge.target, edge.kind) for edge in edges}
    for edge in edges:
        source, target = into.get(edge.source, edge.source), into.get(edge.target, edge.target)
        if source in gone or target in gone:
            continue
        if (source, target) == (edge.source, edge.target):
            yield edge
        elif source != target and (source, target, edge.kind) not in known:
            known.add((source, target, edge.kind))
            yield replace(edge, source=source, target=target)


def _children(graph: ExecutionGraph) -> _Folds:
    above = hangings(graph)
    below: dict[str, list[str]] = defaultdict(list)
    for node_id, hanging in above.items():
        below[hanging.parent].append(node_id)
    alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for node in graph.nodes:
        if node.kind == "aggregation_child" and node.id in above:
            alike[above[node.id].parent, str(node.annotations.get("state"))].append(node.id)
    folds = _Folds({members[0]: members for members in alike.values() if len(members) > 1})
    tops = {member for members in folds.members.values() for member in members}
    kept = {node.id for node in graph.nodes if node.kind == "task"}
    pending = [inner for top in tops for inner in below.get(top, ())]
    while pending:
        inner = pending.pop()
        if inner not in folds.gone and inner not in kept:
            folds.gone.add(inner)
            pending += below.get(inner, ())
    return folds


def _attempts(graph: ExecutionGraph) -> _Folds:
    above = hangings(graph)
    nodes = {node.id: node for node in graph.nodes}
    hanging_on: dict[str, int] = defaultdict(int)
    for hanging in above.values():
        hanging_on[hanging.parent] += 1
    earlier: dict[str, tuple[str, str]] = {}
    for node in graph.nodes:
        retry = above[node.id].parent if _was_retried(node) and node.id in above else ""
        if retry in above and nodes[retry].kind == "retry" and hanging_on[retry] == 1:
            before = nodes[above[retry].parent]
            if _was_retried(before) and before.kind == node.kind and before.id != node.id:
                earlier[node.id] = (before.id, retry)
    heads: dict[str, str] = {}
    folds = _Folds()
    for node in graph.nodes:
        if node.id in earlier:
            head = _head(node.id, earlier, heads)
            folds.between[earlier[node.id][1]] = head
            if head != node.id:
                folds.members.setdefault(head, [head]).append(node.id)
    return folds


def _was_retried(node: ExecutionGraphNode) -> bool:
    return node.kind in _ATTEMPTS and node.annotations.get("outcome") == "retried"


def _head(node_id: str, earlier: Mapping[str, tuple[str, str]], heads: dict[str, str]) -> str:
    """The first of the run that the node ends; of one that bites its tail, where that was noticed."""
    path: dict[str, None] = {}
    at = node_id
    while at in earlier and at not in heads and at not in path:
        path[at] = None
        at = earlier[at][0]
    head = heads.get(at, at)
    heads.update(dict.fromkeys(path, head))
    return head


def _statuses(graph: ExecutionGraph) -> _Folds:
    above = hangings(graph)
    alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for node in graph.nodes:
        if node.kind == "status_event" and node.id in above:
            notes = node.annotations
            look = (node.label, str(notes.get("state")), str(notes.get("stage")))
            alike[above[node.id].parent, *look].append(node.id)
    return _Folds({members[0]: members for members in alike.values() if len(members) > 1})


_FOLDS: Final[dict[Collapse, Callable[[ExecutionGraph], _Folds]]] = {
    "children": _children,
    "attempts": _attempts,
    "statuses": _statuses,
}
