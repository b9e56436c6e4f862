"""What changed from one version of a graph to another, and how to apply it. Pure.

Owns the shape of patches, as documented in docs/live.md, and who is who in two versions: nodes by their `ref`,
kind and task, edges by their kind and those of their ends; ids are numbered anew from version to version. Base and
patch give the very bytes of the newer graph, in the order it has. A patch costs time in proportion to the graphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from relayna.projections.graph import (
    ExecutionGraph,
    ExecutionGraphEdge,
    ExecutionGraphNode,
    ExecutionGraphSummary,
)
from relayna.projections.keyed_sequence import differences, patched, same_json

__all__ = [
    "EdgeKey", "GraphPatch", "NodeKey", "PlacedTaskId", "SetEdge", "SetNode", "apply_patch",
    "diff_graphs",
]  # fmt: skip


class NodeKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which node, in every version."""

    ref: str
    kind: str
    task_id: str
    n: int = 1
    """Of several nodes with the same of these, the n-th in the order of the graph."""


class EdgeKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which edge, in every version."""

    kind: str
    source: NodeKey
    target: NodeKey
    n: int = 1
    """Of several edges with the same of these, the n-th in the order of the graph."""


class SetNode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node as it is now."""

    node: ExecutionGraphNode
    n: int = 1
    index: int | None = None
    """Its place in the newer graph, when it is new or has moved; else it stays between its neighbours."""


class SetEdge(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An edge as it is now."""

    edge: ExecutionGraphEdge
    n: int = 1
    index: int | None = None
    """As for nodes."""


class PlacedTaskId(Struct, frozen=True):
    """A related task, and its place in the newer graph's list."""

    task_id: str
    index: int


class GraphPatch(Struct, frozen=True, kw_only=True):
    """All that differs. A field that is left out has not changed; one that is there is the whole new value."""

    base: str
    """The version to which this is applied."""
    version: str
    """The version that it gives."""
    nodes_removed: list[NodeKey] = field(default_factory=list)
    nodes_set: list[SetNode] = field(default_factory=list)
    """In the order of the newer graph."""
    edges_removed: list[EdgeKey] = field(default_factory=list)
    edges_set: list[SetEdge] = field(default_factory=list)
    """In the order of the newer graph."""
    related_task_ids_removed: list[str] = field(default_factory=list)
    related_task_ids_set: list[PlacedTaskId] = field(default_factory=list)
    topology_kind: str | UnsetType | None = UNSET
    summary: ExecutionGraphSummary | UnsetType = UNSET
    annotations: dict[str, Any] | UnsetType = UNSET  # Any: JSON values


_Node: TypeAlias = "tuple[str, str, str, int]"
_Edge: TypeAlias = "tuple[str, _Node, _Node, int]"


def diff_graphs(old: ExecutionGraph, new: ExecutionGraph, *, base: str = "", version: str = "") -> GraphPatch:
    """What makes `new`, which is of this `version`, out of `old`, which is of version `base`."""
    old_nodes, new_nodes = _keyed_nodes(old.nodes), _keyed_nodes(new.nodes)
    old_edges, new_edges = _keyed_edges(old.edges, old_nodes), _keyed_edges(new.edges, new_nodes)
    old_related, new_related = _keyed_task_ids(old), _keyed_task_ids(new)
    nodes = differences(old_nodes, new_nodes)
    edges = differences(old_edges, new_edges)
    return GraphPatch(
        base=base,
        version=version,
        nodes_removed=[_node_key(key) for key in old_nodes if key not in new_nodes],
        nodes_set=[SetNode(node=node, n=key[-1], index=index) for key, node, index in nodes],
        edges_removed=[_edge_key(key) for key in old_edges if key not in new_edges],
        edges_set=[SetEdge(edge=edge, n=key[-1], index=index) for key, edge, index in edges],
        related_task_ids_removed=[one for one in old_related if one not in new_related],
        related_task_ids_set=[
            PlacedTaskId(one, index or 0) for one, _, index in differences(old_related, new_related)
        ],
        topology_kind=UNSET if old.topology_kind == new.topology_kind else new.topology_kind,
        summary=UNSET if same_json(old.summary, new.summary) else new.summary,
        annotations=UNSET if same_json(old.annotations, new.annotations) else new.annotations,
    )


def apply_patch(graph: ExecutionGraph, patch: GraphPatch) -> ExecutionGraph:
    """The newer graph; what has not changed is shared with the older one. Raises `PatchDoesNotFit`."""
    old_nodes = _keyed_nodes(graph.nodes)
    nodes = patched(
        old_nodes,
        map(_key_of_node, patch.nodes_removed),
        [((*_identity(one.node), one.n), one.node, one.index) for one in patch.nodes_set],
    )
    ends = _ends(_keyed_nodes(nodes))
    edges = patched(
        _keyed_edges(graph.edges, old_nodes),
        map(_key_of_edge, patch.edges_removed),
        [((*_joined(one.edge, ends), one.n), one.edge, one.index) for one in patch.edges_set],
    )
    related = [(one.task_id, one.task_id, one.index) for one in patch.related_task_ids_set]
    return ExecutionGraph(
        task_id=graph.task_id,
        topology_kind=graph.topology_kind if patch.topology_kind is UNSET else patch.topology_kind,
        summary=graph.summary if patch.summary is UNSET else patch.summary,
        nodes=nodes,
        edges=edges,
        annotations=graph.annotations if patch.annotations is UNSET else patch.annotations,
        related_task_ids=patched(_keyed_task_ids(graph), patch.related_task_ids_removed, related),
    )


def _identity(node: ExecutionGraphNode) -> tuple[str, str, str]:
    return str(node.annotations.get("ref", "")), node.kind, node.task_id


def _keyed_nodes(nodes: Iterable[ExecutionGraphNode]) -> dict[_Node, ExecutionGraphNode]:
    keyed: dict[_Node, ExecutionGraphNode] = {}
    seen: dict[tuple[str, str, str], int] = {}
    for node in nodes:
        identity = _identity(node)
        seen[identity] = count = seen.get(identity, 0) + 1
        keyed[*identity, count] = node
    return keyed


def _ends(nodes: Mapping[_Node, ExecutionGraphNode]) -> dict[str, _Node]:
    return {node.id: key for key, node in nodes.items()}


def _joined(edge: ExecutionGraphEdge, ends: Mapping[str, _Node]) -> tuple[str, _Node, _Node]:
    return edge.kind, _end(edge.source, ends), _end(edge.target, ends)


def _end(node_id: str, ends: Mapping[str, _Node]) -> _Node:
    return ends.get(node_id) or (node_id, "", "", 1)


def _keyed_edges(
    edges: Iterable[ExecutionGraphEdge], nodes: Mapping[_Node, ExecutionGraphNode]
) -> dict[_Edge, ExecutionGraphEdge]:
    ends = _ends(nodes)
    keyed: dict[_Edge, ExecutionGraphEdge] = {}
    seen: dict[tuple[str, _Node, _Node], int] = {}
    for edge in edges:
        joined = _joined(edge, ends)
        seen[joined] = count = seen.get(joined, 0) + 1
        keyed[*joined, count] = edge
    return keyed


def _keyed_task_ids(graph: ExecutionGraph) -> dict[str, str]:
    return {task_id: task_id for task_id in graph.related_task_ids}


def _node_key(key: _Node) -> NodeKey:
    return NodeKey(ref=key[0], kind=key[1], task_id=key[2], n=key[3])


def _edge_key(key: _Edge) -> EdgeKey:
    return EdgeKey(kind=key[0], source=_node_key(key[1]), target=_node_key(key[2]), n=key[3])


def _key_of_node(key: NodeKey) -> _Node:
    return key.ref, key.kind, key.task_id, key.n


def _key_of_edge(key: EdgeKey) -> _Edge:
    return key.kind, _key_of_node(key.source), _key_of_node(key.target), key.n
