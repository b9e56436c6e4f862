"""An execution graph as a Mermaid flowchart, for runbooks and issue trackers.

Owns which shape and colour mean what. The syntax, the escaping and the limits are in
`relayna.topologies.flowchart`.
"""

from __future__ import annotations

from typing import Final

from relayna.observability.run_tree import failure_paths
from relayna.observability.wording import anomalies, reasons
from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge, ExecutionGraphNode
from relayna.topologies.flowchart import FlowchartEdge, FlowchartNode, FlowchartShape, flowchart

__all__ = ["execution_graph_mermaid"]

_SHAPES: Final[dict[str, FlowchartShape]] = {
    "task": "stadium",
    "task_attempt": "box",
    "workflow_message": "slanted",
    "stage_attempt": "box",
    "status_event": "rounded",
    "retry": "hexagon",
    "dlq_record": "cylinder",
    "aggregation_child": "subroutine",
    "resource_sample": "flag",
    "opaque_event": "flag",
}

_STYLES: Final = {
    "queued": "fill:#f5f5f5,stroke:#8a8a8a,color:#333",
    "running": "fill:#e6f0fb,stroke:#2a6fb0,color:#123",
    "retrying": "fill:#fff4d6,stroke:#b8860b,color:#332200",
    "succeeded": "fill:#e8f4ea,stroke:#2f7d4f,color:#132",
    "failed": "fill:#fdd8d5,stroke:#b3261e,stroke-width:3px,color:#410e0b",
    "dead_lettered": "fill:#b3261e,stroke:#410e0b,stroke-width:3px,color:#fff",
    "replayed": "fill:#eee6fb,stroke:#6b46b8,color:#213",
    "abandoned": "fill:#fdeaea,stroke:#b3261e,stroke-dasharray:5,color:#410e0b",
    "unknown": "fill:#fff,stroke:#8a8a8a,stroke-dasharray:3,color:#333",
}

_EDGE_LABELS: Final = {
    kind: kind.replace("_", " ")
    for kind in (
        "received_by", "entered_stage", "stage_transitioned_to", "manual_retry_to", "replayed_as", "retried_as",
        "dead_lettered_to", "published_status", "aggregated_into", "joined_from",
    )
}  # fmt: skip

_SAYS_NO_STATE: Final = ("status_event", "retry", "resource_sample", "opaque_event")


def execution_graph_mermaid(graph: ExecutionGraph) -> str:
    """The graph's nodes and edges as Mermaid source that version 11 parses, whatever the labels hold.

    Shapes tell kinds, colours and words tell states, dotted arrows tell what was inferred. At most 500
    edges and 50,000 characters; what fails and the way to it is kept first, and the drawing says what
    was cut and what the graph itself lacks.
    """
    return flowchart(
        [_node(node) for node in graph.nodes],
        [_edge(edge) for edge in graph.edges],
        styles=_STYLES,
        notes=_notes(graph),
        first=failure_paths(graph),
    )


def _node(node: ExecutionGraphNode) -> FlowchartNode:
    state = node.annotations.get("state")
    if state not in _STYLES and node.kind == "dlq_record":
        state = "dead_lettered"
    told = [] if state not in _STYLES or node.kind in _SAYS_NO_STATE else [str(state)]
    if node.annotations.get("exception_type"):
        told.append(str(node.annotations["exception_type"]))
    told += anomalies(node)
    return FlowchartNode(
        key=node.id,
        lines=(node.label, ", ".join(told)),
        shape=_SHAPES.get(node.kind, "box"),
        style=state if state in _STYLES else None,
    )


def _edge(edge: ExecutionGraphEdge) -> FlowchartEdge:
    return FlowchartEdge(
        source=edge.source,
        target=edge.target,
        label=_EDGE_LABELS.get(edge.kind, "other"),
        is_dotted=edge.annotations.get("evidence") == "inferred",
    )


def _notes(graph: ExecutionGraph) -> list[str]:
    notes: list[str] = []
    if graph.summary.graph_completeness == "partial":
        notes.append(f"partial: {', '.join(reasons(graph)) or 'no reason is given'}")
    if graph.annotations.get("truncated"):
        notes.append("truncated: more is known than this graph was asked to hold")
    return notes
