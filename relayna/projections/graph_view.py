"""Parts of a graph: what one question needs of it, and many alike folded into one.

Owns which nodes and edges each view keeps; `graph_folding.py` folds. Pure, linear, and total: any graph is
taken, also one that was cut before. Judges nothing: the summary and the completeness stay those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, Literal, TypeAlias, get_args

from msgspec.structs import replace

from relayna.projections.critical_chain import critical_chain
from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge, ExecutionGraphNode
from relayna.projections.graph_folding import Collapse, fold
from relayna.projections.hangings import hangings

__all__ = ["COLLAPSES", "GRAPH_VIEWS", "Collapse", "GraphView", "shown"]

GraphView: TypeAlias = Literal["full", "causal", "failures", "critical"]
"""`full`: everything. `causal`: births and what they led to. `failures`: what went wrong, and the way to it.
`critical`: what the end waited for."""

GRAPH_VIEWS: Final[tuple[GraphView, ...]] = get_args(GraphView)
COLLAPSES: Final[tuple[Collapse, ...]] = get_args(Collapse)

_NOT_CAUSAL: Final = ("status_event", "resource_sample")
_TROUBLE: Final = frozenset({"failed", "dead_lettered", "abandoned", "retrying"})
_TROUBLE_KINDS: Final = ("retry", "dlq_record")
_TRIED_AGAIN: Final = ("retried", "manual_retry")


def shown(
    graph: ExecutionGraph, *, view: GraphView = "full", collapse: Iterable[Collapse] = ()
) -> ExecutionGraph:
    """The part of the graph that this view keeps, with what is to be folded folded. The graph stays as it is.

    What remains has its ids, refs and order; edges lead only to what remains, and the root always does. A
    node that stands for others says so in `annotations.collapsed`: `count`, the first `refs`, and `until`
    when. The annotations of the graph say what was left out: `view`, `collapse`, `hidden_nodes`,
    `hidden_edges`. A graph that is this view already is not cut again.
    """
    folds = [name for name in COLLAPSES if name in set(collapse)]
    part = graph
    if view != "full" and graph.annotations.get("view") != view:
        part = _VIEWS[view](graph)
    for name in folds:
        part = fold(part, name)
    if view == "full" and not folds:
        return graph
    return replace(part, annotations={**graph.annotations, **_left_out(graph, part, view, folds)})


def _causal(graph: ExecutionGraph) -> ExecutionGraph:
    kept = {node.id for node in graph.nodes if node.kind not in _NOT_CAUSAL}
    edges = [edge for edge in graph.edges if edge.annotations.get("birth") is not False]
    return _part(graph, kept, edges)


def _failures(graph: ExecutionGraph) -> ExecutionGraph:
    above = hangings(graph)
    kept: set[str] = set()
    for node in graph.nodes:
        at: str | None = node.id if _is_trouble(node) or node.kind == "task" else None
        while at is not None and at not in kept:
            kept.add(at)
            at = above[at].parent if at in above else None
    return _part(graph, kept, graph.edges)


def _is_trouble(node: ExecutionGraphNode) -> bool:
    notes = node.annotations
    return (
        notes.get("state") in _TROUBLE
        or node.kind in _TROUBLE_KINDS
        or notes.get("outcome") in _TRIED_AGAIN
        or "collapsed" in notes  # what it stands for is not here to be asked
    )


def _critical(graph: ExecutionGraph) -> ExecutionGraph:
    return _part(graph, critical_chain(graph), graph.edges)


_VIEWS: Final[dict[GraphView, Callable[[ExecutionGraph], ExecutionGraph]]] = {
    "causal": _causal,
    "failures": _failures,
    "critical": _critical,
}


def _part(
    graph: ExecutionGraph, kept: Collection[str], edges: Iterable[ExecutionGraphEdge]
) -> ExecutionGraph:
    return replace(
        graph,
        nodes=[node for node in graph.nodes if node.id in kept],
        edges=[edge for edge in edges if edge.source in kept and edge.target in kept],
    )


def _left_out(
    whole: ExecutionGraph, part: ExecutionGraph, view: GraphView, folds: list[Collapse]
) -> dict[str, Any]:  # Any: JSON values
    nodes, edges = len(whole.nodes) - len(part.nodes), len(whole.edges) - len(part.edges)
    before = whole.annotations.get("collapse")
    folded = {*folds, *(before if isinstance(before, list) else ())}
    told: dict[str, Any] = {  # Any: JSON values
        "view": whole.annotations.get("view") if view == "full" else view,
        "collapse": [name for name in COLLAPSES if name in folded],
        "hidden_nodes": nodes + _number(whole.annotations.get("hidden_nodes")),
        "hidden_edges": edges + _number(whole.annotations.get("hidden_edges")),
    }
    return {name: value for name, value in told.items() if value}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
