"""A graph with everything that a page or a runbook shows of it. Owns the shape only."""

from __future__ import annotations

from msgspec import Struct

from relayna.observability.mermaid import execution_graph_mermaid
from relayna.projections.graph import ExecutionGraph, ExecutionGraphSummary

__all__ = ["ExecutionView", "build_execution_view"]


class ExecutionView(Struct, kw_only=True):
    """The graph, its summary up front, and its drawing."""

    task_id: str
    topology_kind: str | None
    summary: ExecutionGraphSummary
    related_task_ids: list[str]
    graph: ExecutionGraph
    mermaid: str


def build_execution_view(graph: ExecutionGraph) -> ExecutionView:
    """Put the drawing beside the graph."""
    return ExecutionView(
        task_id=graph.task_id,
        topology_kind=graph.topology_kind,
        summary=graph.summary,
        related_task_ids=graph.related_task_ids,
        graph=graph,
        mermaid=execution_graph_mermaid(graph),
    )
