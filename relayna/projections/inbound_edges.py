"""The invariant of births, checked on a graph: every attempt hangs on exactly one edge that it was born of.

Owns the check. Pure; changes nothing, and says nothing where the graph itself says that something is missing.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from relayna.projections.graph import ExecutionGraph

__all__ = ["missing_inbound_edges"]

_ATTEMPTS: Final = frozenset({"task_attempt", "stage_attempt"})
_BIRTHS: Final = frozenset({"received_by", "entered_stage", "manual_retry_to", "replayed_as"})
_CAUSE_MISSING: Final = "cause_missing"
"""The rule of an edge that stands where the recorded cause should: drawn, so that nothing hangs in the air."""

_OF_ALL: Final = frozenset({"limit_reached", "cycle"})
"""Gaps by which any edge of the graph may be absent."""
_OF_ONE: Final = frozenset(
    {"head_missing", "trimmed", "gap", "reported_loss", "child_expired", "child_missing", "unknown_type",
     "unknown_version", "corrupt"}
)  # fmt: skip
"""Gaps by which an edge of their own task may be absent."""


def missing_inbound_edges(graph: ExecutionGraph) -> list[str]:
    """The refs of attempts without exactly one birth, in the graph's order.

    Empty where a known gap explains it. Ask it of graphs that nothing was taken out of: a view, a collapsed or a
    cut one lacks edges by choice.
    """
    completeness = set(graph.annotations.get("completeness", ()))
    if completeness & _OF_ALL or graph.annotations.get("truncated"):
        return []
    explained = {gap["task_id"] for gap in graph.annotations.get("gaps", ()) if gap["reason"] in _OF_ONE}
    if "trimmed" in completeness:  # said of the root alone, without a task's name
        explained.add(graph.task_id)
    births = Counter(
        edge.target
        for edge in graph.edges
        if edge.kind in _BIRTHS
        and edge.annotations.get("birth") is not False
        and edge.annotations.get("rule") != _CAUSE_MISSING
    )
    return [
        node.annotations["ref"]
        for node in graph.nodes
        if node.kind in _ATTEMPTS and births[node.id] != 1 and node.task_id not in explained
    ]
