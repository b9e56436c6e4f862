"""An execution graph as a Mermaid flowchart, for runbooks and issue trackers.

Owns how colours become Mermaid's classes. What they mean is in `graph_figure.py`; the syntax, the escaping
and the limits are in `relayna.topologies.flowchart`.
"""

from __future__ import annotations

from typing import Final

from relayna.observability.graph_figure import COLOURS, Colours, graph_figure
from relayna.projections.graph import ExecutionGraph
from relayna.topologies.flowchart import flowchart

__all__ = ["execution_graph_mermaid"]


def execution_graph_mermaid(graph: ExecutionGraph) -> str:
    """The graph's nodes and edges as Mermaid source that version 11 parses, whatever the labels hold.

    Shapes tell kinds, colours and words tell states, dotted arrows tell what was inferred. At most 500
    edges and 50,000 characters; what fails and the way to it is kept first, and the drawing says what
    was cut and what the graph itself lacks.
    """
    figure = graph_figure(graph)
    return flowchart(figure.nodes, figure.edges, styles=_STYLES, notes=figure.notes, first=figure.first)


def _css(colours: Colours) -> str:
    width = f",stroke-width:{colours.line_width}px" if colours.line_width > 1 else ""
    dashes = f",stroke-dasharray:{colours.dashes}" if colours.dashes is not None else ""
    return f"fill:{colours.fill},stroke:{colours.line}{width}{dashes},color:{colours.text}"


_STYLES: Final = {state: _css(colours) for state, colours in COLOURS.items()}
