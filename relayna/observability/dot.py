"""An execution graph in Graphviz's DOT, for `dot`, and for whatever else reads it.

Owns the syntax, the escaping and how long a source may be. What shapes and colours mean is in
`graph_figure.py`. Every value is a double-quoted string: what stands in one is never HTML, whatever it holds.
"""

from __future__ import annotations

from typing import Final

from relayna.observability.graph_figure import COLOURS, Colours, graph_figure
from relayna.projections.graph import ExecutionGraph
from relayna.topologies.figure_limits import cut_words, fit, source_size
from relayna.topologies.flowchart import FlowchartEdge, FlowchartNode, FlowchartShape
from relayna.topologies.mermaid_labels import visible_text

__all__ = ["SOURCE_LIMIT", "execution_graph_dot"]

SOURCE_LIMIT: Final = 100_000
"""In UTF-16 units. DOT has no classes, so a box takes about twice the room that it takes in Mermaid."""

_SHAPES: Final[dict[FlowchartShape, tuple[str, str]]] = {
    "box": ("box", "filled"),
    "rounded": ("box", "filled,rounded"),
    "stadium": ("oval", "filled"),
    "subroutine": ("component", "filled"),
    "cylinder": ("cylinder", "filled"),
    "hexagon": ("hexagon", "filled"),
    "slanted": ("parallelogram", "filled"),
    "flag": ("cds", "filled"),
}
"""Graphviz's name of the shape, and its style."""

_PLAIN: Final = Colours(fill="#fff", line="#333", text="#333")
_NOTE: Final = '[label={}, shape="note", style="filled,dashed", fillcolor="#fff8dc", color="#b8860b"]'
_HEAD: Final = (
    "digraph execution {",
    '  node [fontname="Helvetica,Arial,sans-serif", fontsize="11", fontcolor="#333333"]',
    '  edge [fontname="Helvetica,Arial,sans-serif", fontsize="9", color="#333333", fontcolor="#333333"]',
)
_CUT_ROOM: Final = 1_000  # for the head, and the note about a cut
_ENCODED: Final = str.maketrans(
    # Graphviz takes `\N` and the like for words of its own, and then entities for what they stand for.
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)


def execution_graph_dot(graph: ExecutionGraph) -> str:
    """The graph's nodes and edges as DOT, with the words, shapes and colours that the Mermaid drawing has.

    Any text is drawn as it is, but for invisible characters, which are left out. At most 500 edges and
    100,000 characters; what fails and the way to it is kept first, and the drawing says what was cut.
    """
    figure = graph_figure(graph)
    nodes = {node.key: node for node in figure.nodes}
    ids = {key: f"n{number}" for number, key in enumerate(nodes)}
    said = [f"  note{number} {_NOTE.format(_quoted(note))}" for number, note in enumerate(figure.notes)]
    fitted = fit(
        nodes,
        lambda key: _node_line(nodes[key], ids[key]),
        [
            (edge.source, edge.target, _edge_line(edge, ids))
            for edge in figure.edges
            if edge.source in ids and edge.target in ids
        ],
        first=figure.first,
        room=SOURCE_LIMIT - _CUT_ROOM - source_size(said),
    )
    cut = cut_words(fitted, figure.nodes, figure.edges)
    if cut is not None:
        said.append(f"  cut {_NOTE.format(_quoted(cut))}")
    drawn = [fitted.boxes[key] for key in nodes if key in fitted.boxes]
    return "\n".join([*_HEAD, *said, *drawn, *fitted.arrows, "}"]) + "\n"


def _node_line(node: FlowchartNode, name: str) -> str:
    shape, style = _SHAPES[node.shape]
    colours = _PLAIN if node.style is None else COLOURS[node.style]
    if colours.dashes is not None:
        style += ",dashed"
    looks = [f"label={_quoted(*node.lines)}", f'shape="{shape}"', f'style="{style}"']
    looks += [f'fillcolor="{_six_digits(colours.fill)}"', f'color="{_six_digits(colours.line)}"']
    if colours.line_width > 1:
        looks.append(f'penwidth="{colours.line_width}"')
    looks.append(f'fontcolor="{_six_digits(colours.text)}"')
    return f"  {name} [{', '.join(looks)}]"


def _edge_line(edge: FlowchartEdge, ids: dict[str, str]) -> str:
    dotted = ', style="dotted"' if edge.is_dotted else ""
    return f"  {ids[edge.source]} -> {ids[edge.target]} [label={_quoted(edge.label)}{dotted}]"


def _quoted(*lines: str) -> str:
    shown = "\n".join(line for line in map(visible_text, lines) if line)
    return f'"{(shown or "(no text)").translate(_ENCODED)}"'


def _six_digits(colour: str) -> str:
    """Graphviz knows no colours of three digits."""
    return colour if len(colour) == 7 else "#" + "".join(digit * 2 for digit in colour[1:])
