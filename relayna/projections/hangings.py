"""On which other node each node of a graph hangs: by its birth, else by what it followed from.

Owns the choice among a node's edges. Linear, without recursion.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge

__all__ = ["Hanging", "hangings"]

_BIRTHS: Final = (
    "received_by", "entered_stage", "stage_transitioned_to", "manual_retry_to", "replayed_as", "aggregated_into",
)  # fmt: skip
_CONSEQUENCES: Final = ("retried_as", "dead_lettered_to", "published_status")


class Hanging(Struct, frozen=True):
    """Why a node stands where it stands: the node above it, and the edge between the two."""

    parent: str
    edge: ExecutionGraphEdge


def hangings(graph: ExecutionGraph) -> dict[str, Hanging]:
    """For each node that has one, the edge it hangs by: its birth, else what it followed from."""
    known = {node.id for node in graph.nodes}
    chosen: dict[str, tuple[int, Hanging]] = {}
    for edge in graph.edges:
        if edge.kind == "aggregated_into":  # points from child to parent, the tree the other way
            child, parent = edge.source, edge.target
        else:
            child, parent = edge.target, edge.source
        if child == parent or child not in known or parent not in known:
            continue
        rank = _rank(edge)
        if child not in chosen or rank < chosen[child][0]:
            chosen[child] = (rank, Hanging(parent, edge))
    return {child: hanging for child, (_, hanging) in chosen.items()}


def _rank(edge: ExecutionGraphEdge) -> int:
    if edge.kind in _BIRTHS and edge.annotations.get("birth") is not False:
        return 0
    return 1 if edge.kind in _CONSEQUENCES else 2
