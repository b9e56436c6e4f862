"""A Mermaid flowchart from nodes and edges, whatever their labels hold and however many they are.

Owns the syntax, the generated ids and how long a source may be. What a shape or a colour means is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from relayna.topologies.figure_limits import EDGE_LIMIT, cut_words, fit, source_size
from relayna.topologies.mermaid_labels import mermaid_label

__all__ = ["EDGE_LIMIT", "SOURCE_LIMIT", "FlowchartEdge", "FlowchartNode", "FlowchartShape", "flowchart"]

SOURCE_LIMIT: Final = 50_000
"""Mermaid's own `maxTextSize`, in UTF-16 units, as JavaScript counts."""

FlowchartShape: TypeAlias = Literal[
    "box", "rounded", "stadium", "subroutine", "cylinder", "hexagon", "slanted", "flag"
]

_SHAPES: Final[dict[FlowchartShape, tuple[str, str]]] = {
    "box": ("[", "]"),
    "rounded": ("(", ")"),
    "stadium": ("([", "])"),
    "subroutine": ("[[", "]]"),
    "cylinder": ("[(", ")]"),
    "hexagon": ("{{", "}}"),
    "slanted": ("[/", "/]"),
    "flag": (">", "]"),
}
_NOTE_CLASS: Final = "  classDef note fill:#fff8dc,stroke:#b8860b,stroke-dasharray:4,color:#333"
_CUT_ROOM: Final = 500  # for the note about a cut, the note's colours and the first line


class FlowchartNode(Struct, frozen=True, kw_only=True):
    """A box. `key` never reaches the drawing; edges name nodes by it."""

    key: str
    lines: tuple[str, ...]
    """Any text."""
    shape: FlowchartShape = "box"
    style: str | None = None
    """One of the drawing's `styles`."""


class FlowchartEdge(Struct, frozen=True, kw_only=True):
    """An arrow between two nodes, by their keys."""

    source: str
    target: str
    label: str = ""
    """Any text."""
    is_dotted: bool = False


def flowchart(
    nodes: Sequence[FlowchartNode],
    edges: Sequence[FlowchartEdge],
    *,
    styles: dict[str, str],
    notes: Iterable[str] = (),
    first: Iterable[str] = (),
) -> str:
    """The source of a flowchart that Mermaid 11 parses and is willing to draw.

    `styles` are class names and their CSS. When not all fits, the nodes whose keys are in `first` are
    kept before the others, and a note says what was cut; `notes` are said in boxes of their own.
    """
    ids = {node.key: f"n{number}" for number, node in enumerate(nodes)}
    said = [f"  note{number}[{mermaid_label(note)}]:::note" for number, note in enumerate(notes)]
    used = {node.style for node in nodes}
    classes = [f"  classDef {name} {css}" for name, css in styles.items() if name in used]
    by_key = {node.key: node for node in nodes}
    fitted = fit(
        by_key,
        lambda key: _node_line(by_key[key], ids[key]),
        [
            (edge.source, edge.target, _edge_line(edge, ids))
            for edge in edges
            if {edge.source, edge.target} <= ids.keys()
        ],
        first=first,
        room=SOURCE_LIMIT - _CUT_ROOM - source_size([*said, *classes]),
    )
    cut = cut_words(fitted, nodes, edges)
    if cut is not None:
        said.append(f"  cut[{mermaid_label(cut)}]:::note")
    if said:
        classes.append(_NOTE_CLASS)
    drawn = [fitted.boxes[node.key] for node in nodes if node.key in fitted.boxes]
    return "\n".join(["flowchart TD", *said, *drawn, *fitted.arrows, *classes]) + "\n"


def _node_line(node: FlowchartNode, name: str) -> str:
    opening, closing = _SHAPES[node.shape]
    style = f":::{node.style}" if node.style is not None else ""
    return f"  {name}{opening}{mermaid_label(*node.lines)}{closing}{style}"


def _edge_line(edge: FlowchartEdge, ids: dict[str, str]) -> str:
    arrow = "-.->" if edge.is_dotted else "-->"
    label = f"|{mermaid_label(edge.label)}|" if edge.label else ""
    return f"  {ids[edge.source]} {arrow}{label} {ids[edge.target]}"
