"""The execution graph as an SVG inside of a page. Owns shapes, arrows and what of a label fits into a box.

What shapes and states mean is in `graph_figure.py`; their colours are the page's style sheet's, by class.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from relayna.observability.graph_figure import COLOURS, GraphFigure, graph_figure
from relayna.observability.incident.layout import Layout, Place, lay_out
from relayna.observability.incident.markup import EMPTY, Markup, element, joined, text
from relayna.projections.graph import ExecutionGraph
from relayna.projections.hangings import hangings
from relayna.topologies.flowchart import FlowchartEdge, FlowchartNode, FlowchartShape
from relayna.topologies.mermaid_labels import visible_text

__all__ = ["graph_svg"]

_WIDTH: Final = 176
_HEIGHT: Final = 40
_COLUMN: Final = 224
_ROW: Final = 52
_GAP: Final = _COLUMN - _WIDTH
_MARGIN: Final = 8
_SLANT: Final = 10
_LETTERS: Final = (21, 25)
"""Of ordinary width, that a box has room for: in its first line, and in the smaller second one."""
_MOST_ARROWS: Final = 500


def graph_svg(graph: ExecutionGraph, anchors: Mapping[str, str]) -> Markup:
    """The drawing, and a line that says what it leaves out. A box leads to the anchor of its node."""
    figure = graph_figure(graph)
    nodes = {node.key: node for node in figure.nodes}
    above = {key: hanging.parent for key, hanging in hangings(graph).items()}
    layout = lay_out(nodes, above, first=figure.first)
    arrows = [edge for edge in figure.edges if edge.source in layout.places and edge.target in layout.places]
    drawn = arrows[:_MOST_ARROWS]
    size = (_MARGIN * 2 + layout.columns * _COLUMN - _GAP, _MARGIN * 2 + layout.rows * _ROW)
    svg = element(
        "svg",
        element("title", text(f"The execution graph of {graph.task_id}")),
        _ARROWHEAD,
        *(_arrow(edge, layout) for edge in drawn),
        *(_box(nodes[key], place, anchors.get(key)) for key, place in layout.places.items()),
        width=size[0],
        height=size[1],
        viewBox=f"0 0 {size[0]} {size[1]}",
        role="img",
    )
    return joined((element("div", svg, class_="drawing", tabindex=0), _cut(layout, drawn, figure)))


_ARROWHEAD: Final = element(
    "defs",
    element(
        "marker",
        element("path", d="M0 0 L8 4 L0 8 Z", class_="arrowhead"),
        id="arrowhead",
        viewBox="0 0 8 8",
        refX=8,
        refY=4,
        markerWidth=7,
        markerHeight=7,
        orient="auto",
    ),
)


def _cut(layout: Layout, drawn: list[FlowchartEdge], figure: GraphFigure) -> Markup:
    nodes, edges = len(figure.nodes), len(figure.edges)
    if len(layout.places) == nodes and len(drawn) == edges:
        return EMPTY
    words = f"{len(layout.places):,} of {nodes:,} nodes and {len(drawn):,} of {edges:,} edges are drawn."
    return element("p", text(f"{words} What failed, and the way to it, came first."), class_="cut")


def _box(node: FlowchartNode, place: Place, anchor: str | None) -> Markup:
    x, y = _corner(place)
    lines = [line for line in node.lines if visible_text(line)] or ["(no text)"]
    content = (
        element("title", text("\n".join(lines), limit=1_000)),
        *_SHAPES.get(node.shape, _rectangle)(x, y),
        *(
            element(
                "text",
                text(_fitting(line, _LETTERS[number])),
                x=x + _WIDTH / 2,
                y=y + _HEIGHT / 2 + offset,
                class_="what" if number == 0 else "told",
            )
            for number, (line, offset) in enumerate(zip(lines, _OFFSETS[len(lines[:2])], strict=False))
        ),
    )
    state = f"box state-{node.style if node.style in COLOURS else 'plain'}"
    if anchor is None:
        return element("g", *content, class_=state)
    return element("a", *content, class_=state, href=f"#{anchor}")


_OFFSETS: Final = {1: (4,), 2: (-3, 12)}


def _arrow(edge: FlowchartEdge, layout: Layout) -> Markup:
    source, target = layout.places[edge.source], layout.places[edge.target]
    inferred = " (inferred)" if edge.is_dotted else ""
    return element(
        "path",
        element("title", text(f"{edge.label}{inferred}")),
        d=_route(source, target),
        class_="arrow inferred" if edge.is_dotted else "arrow",
        marker_end="url(#arrowhead)",
    )


def _route(source: Place, target: Place) -> str:
    """From side to side, with right angles between the columns, where all arrows of a box share one line."""
    (x1, y1), (x2, y2) = _corner(source), _corner(target)
    y1, y2 = y1 + _HEIGHT / 2, y2 + _HEIGHT / 2
    if source.column == target.column:  # out and back on the right
        x1, x2 = x1 + _WIDTH, x2 + _WIDTH
        return f"M{x1} {y1} H{x1 + _GAP / 2} V{y2} H{x2}"
    if source.column < target.column:
        return f"M{x1 + _WIDTH} {y1} H{x2 - _GAP / 2} V{y2} H{x2}"
    return f"M{x1} {y1} H{x1 - _GAP / 2} V{y2} H{x2 + _WIDTH}"


def _corner(place: Place) -> tuple[float, float]:
    return _MARGIN + place.column * _COLUMN, _MARGIN + place.row * _ROW


def _fitting(line: str, room: int) -> str:
    """As much as fits, of its beginning and its end; letters of East Asia are twice as wide."""
    shown = " ".join(visible_text(line).split("\n"))
    widths = [2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1 for letter in shown]
    if sum(widths) <= room:
        return shown
    half = room // 2
    return f"{shown[: _within(widths, half)]}…{shown[len(shown) - _within(widths[::-1], half) :]}"


def _within(widths: list[int], room: int) -> int:
    return sum(1 for width in itertools.accumulate(widths) if width <= room)


_Shape = Callable[[float, float], tuple[Markup, ...]]


def _rectangle(x: float, y: float, radius: int = 3) -> tuple[Markup, ...]:
    return (element("rect", x=x, y=y, width=_WIDTH, height=_HEIGHT, rx=radius, class_="shape"),)


def _rounded(x: float, y: float) -> tuple[Markup, ...]:
    return _rectangle(x, y, 10)


def _stadium(x: float, y: float) -> tuple[Markup, ...]:
    return _rectangle(x, y, _HEIGHT // 2)


def _subroutine(x: float, y: float) -> tuple[Markup, ...]:
    bars = f"M{x + 5} {y} V{y + _HEIGHT} M{x + _WIDTH - 5} {y} V{y + _HEIGHT}"
    return (*_rectangle(x, y), element("path", d=bars, class_="line"))


def _cylinder(x: float, y: float) -> tuple[Markup, ...]:
    right, bottom, dip = x + _WIDTH, y + _HEIGHT - 5, f"a{_WIDTH / 2} 5 0 0 0 {_WIDTH} 0"
    body = f"M{x} {y + 5} V{bottom} {dip} V{y + 5} a{_WIDTH / 2} 5 0 0 0 -{_WIDTH} 0 Z"
    return (
        element("path", d=body, class_="shape"),
        element("path", d=f"M{x} {y + 5} {dip} H{right}", class_="line"),
    )


def _polygon(x: float, y: float, corners: tuple[tuple[float, float], ...]) -> tuple[Markup, ...]:
    points = " ".join(f"{x + right},{y + down}" for right, down in corners)
    return (element("polygon", points=points, class_="shape"),)


def _hexagon(x: float, y: float) -> tuple[Markup, ...]:
    inner, half = _WIDTH - _SLANT, _HEIGHT / 2
    return _polygon(
        x, y, ((_SLANT, 0), (inner, 0), (_WIDTH, half), (inner, _HEIGHT), (_SLANT, _HEIGHT), (0, half))
    )


def _slanted(x: float, y: float) -> tuple[Markup, ...]:
    return _polygon(x, y, ((_SLANT, 0), (_WIDTH, 0), (_WIDTH - _SLANT, _HEIGHT), (0, _HEIGHT)))


def _flag(x: float, y: float) -> tuple[Markup, ...]:
    return _polygon(x, y, ((0, 0), (_WIDTH, 0), (_WIDTH, _HEIGHT), (0, _HEIGHT), (_SLANT, _HEIGHT / 2)))


_SHAPES: Final[dict[FlowchartShape, _Shape]] = {
    "box": _rectangle,
    "rounded": _rounded,
    "stadium": _stadium,
    "subroutine": _subroutine,
    "cylinder": _cylinder,
    "hexagon": _hexagon,
    "slanted": _slanted,
    "flag": _flag,
}
