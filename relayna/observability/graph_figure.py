"""An execution graph as boxes and arrows: what each box says, and which shape and colour mean what.

Owns the meaning, for every kind of drawing; the syntax is in `mermaid.py` and `dot.py`, and in what they use.
Texts are the user's own here: whoever writes them down makes them safe.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from relayna.observability.run_tree import failure_paths
from relayna.observability.wording import anomalies, collapsed_words, hidden_words, reasons
from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge, ExecutionGraphNode
from relayna.topologies.flowchart import FlowchartEdge, FlowchartNode, FlowchartShape

__all__ = ["COLOURS", "Colours", "GraphFigure", "graph_figure"]


class Colours(Struct, frozen=True, kw_only=True):
    """How boxes of one state look. Colours only repeat what a word says."""

    fill: str
    line: str
    text: str
    line_width: int = 1
    dashes: int | None = None


COLOURS: Final = {
    "queued": Colours(fill="#f5f5f5", line="#8a8a8a", text="#333"),
    "running": Colours(fill="#e6f0fb", line="#2a6fb0", text="#123"),
    "retrying": Colours(fill="#fff4d6", line="#b8860b", text="#332200"),
    "succeeded": Colours(fill="#e8f4ea", line="#2f7d4f", text="#132"),
    "failed": Colours(fill="#fdd8d5", line="#b3261e", text="#410e0b", line_width=3),
    "dead_lettered": Colours(fill="#b3261e", line="#410e0b", text="#fff", line_width=3),
    "replayed": Colours(fill="#eee6fb", line="#6b46b8", text="#213"),
    "abandoned": Colours(fill="#fdeaea", line="#b3261e", text="#410e0b", dashes=5),
    "unknown": Colours(fill="#fff", line="#8a8a8a", text="#333", dashes=3),
}
"""By state."""

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

_EDGE_LABELS: Final = {
    kind: kind.replace("_", " ")
    for kind in (
        "received_by", "entered_stage", "stage_transitioned_to", "manual_retry_to", "replayed_as", "retried_as",
        "dead_lettered_to", "published_status", "aggregated_into", "joined_from",
    )
}  # fmt: skip

_SAYS_NO_STATE: Final = ("status_event", "retry", "resource_sample", "opaque_event")


class GraphFigure(Struct, frozen=True, kw_only=True):
    """Boxes and arrows, and what is said beside them."""

    nodes: list[FlowchartNode]
    edges: list[FlowchartEdge]
    notes: list[str]
    first: list[str]
    """Keys of the boxes that a drawing keeps which has no room for all: what fails, and the way to it."""


def graph_figure(graph: ExecutionGraph) -> GraphFigure:
    """The figure of the whole graph."""
    return GraphFigure(
        nodes=[_node(node) for node in graph.nodes],
        edges=[_edge(edge) for edge in graph.edges],
        notes=_notes(graph),
        first=list(failure_paths(graph)),
    )


def _node(node: ExecutionGraphNode) -> FlowchartNode:
    state = node.annotations.get("state")
    if not isinstance(state, str) or state not in COLOURS:
        state = "dead_lettered" if node.kind == "dlq_record" else None
    told = [] if state is None or node.kind in _SAYS_NO_STATE else [state]
    folded = collapsed_words(node)
    told += [] if folded is None else [folded]
    if node.annotations.get("exception_type"):
        told.append(str(node.annotations["exception_type"]))
    told += anomalies(node)
    return FlowchartNode(
        key=node.id,
        lines=(node.label, ", ".join(told)),
        shape=_SHAPES.get(node.kind, "box"),
        style=state,
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
    hidden = hidden_words(graph)
    return notes if hidden is None else [*notes, hidden]
