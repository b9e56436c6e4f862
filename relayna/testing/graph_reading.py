"""Short questions to execution graphs, for assertions.

Owns no rule: what a graph says is read as it stands.
"""

from __future__ import annotations

from relayna.projections.graph import (
    EdgeKind,
    ExecutionGraph,
    ExecutionGraphEdge,
    ExecutionGraphNode,
    NodeKind,
)

__all__ = ["births", "edges", "node", "nodes", "observed_edges"]

_BIRTHS = frozenset({"received_by", "entered_stage", "manual_retry_to", "replayed_as"})


def node(graph: ExecutionGraph, node_id: str) -> ExecutionGraphNode:
    """The node of that id. Raises `KeyError`, naming those that there are."""
    found = {one.id: one for one in graph.nodes}
    if node_id not in found:
        raise KeyError(f"no node {node_id!r} among {sorted(found)}")
    return found[node_id]


def nodes(graph: ExecutionGraph, kind: NodeKind) -> list[ExecutionGraphNode]:
    """The nodes of that kind, in order."""
    return [one for one in graph.nodes if one.kind == kind]


def edges(graph: ExecutionGraph, kind: EdgeKind) -> list[tuple[str, str]]:
    """The edges of that kind as (source, target) ids, in order."""
    return [(edge.source, edge.target) for edge in graph.edges if edge.kind == kind]


def births(graph: ExecutionGraph, node_id: str) -> list[ExecutionGraphEdge]:
    """The edges that an attempt is born of; in every graph there is one."""
    return [
        edge
        for edge in graph.edges
        if edge.target == node_id and edge.kind in _BIRTHS and edge.annotations.get("birth") is not False
    ]


def observed_edges(graph: ExecutionGraph) -> set[tuple[str, str, str]]:
    """What is known from recorded ids, as (source ref, kind, target ref): the same whatever the clocks say."""
    refs = {one.id: f"{one.kind} {one.annotations['ref']}" for one in graph.nodes}
    return {
        (refs[edge.source], edge.kind, refs[edge.target])
        for edge in graph.edges
        if edge.annotations["evidence"] == "observed"
    }
