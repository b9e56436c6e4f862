"""Which boxes and arrows of a figure are drawn when not all fit.

Owns the choice. Knows no syntax: the caller gives the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence, Sized
from typing import Final

from msgspec import Struct

__all__ = ["EDGE_LIMIT", "Fitted", "cut_words", "fit", "source_size"]

EDGE_LIMIT: Final = 500
"""Mermaid's own `maxEdges`: a page refuses to draw more. Nobody reads more of them in a figure anyway."""

_NODE_LIMIT: Final = EDGE_LIMIT + 1  # as many as that number of edges can join


class Fitted(Struct, frozen=True):
    """The lines that are drawn."""

    boxes: dict[str, str]
    """By key, in the order in which they were chosen."""
    arrows: list[str]


def fit(
    keys: Iterable[str],
    box: Callable[[str], str],
    arrows: Sequence[tuple[str, str, str]],
    *,
    first: Iterable[str],
    room: int,
) -> Fitted:
    """As many lines as `room` holds, in UTF-16 units: boxes, those of `first` before the others, and arrows.

    `box` is the line of a key; an arrow is its source, its target and its line. Arrows get half of the room
    where they need it, and are drawn only between boxes that are.
    """
    wanted = source_size(sorted((line for _, _, line in arrows), key=len)[-EDGE_LIMIT:])
    boxes = _boxes(list(keys), box, first, room - min(wanted, room // 2))
    return Fitted(boxes, _joining(arrows, boxes, room - source_size(boxes.values())))


def cut_words(fitted: Fitted, nodes: Sized, edges: Sized) -> str | None:
    """What a figure says that shows only these of its nodes and edges; none when it shows all."""
    if len(fitted.boxes) == len(nodes) and len(fitted.arrows) == len(edges):
        return None
    return f"cut: {len(fitted.boxes)} of {len(nodes)} nodes and {len(fitted.arrows)} of {len(edges)} edges are drawn"


def source_size(lines: Iterable[str]) -> int:
    """The length of these lines in UTF-16 units, as JavaScript counts."""
    return sum(len(line.encode("utf-16-le")) // 2 + 1 for line in lines)


def _boxes(keys: list[str], box: Callable[[str], str], first: Iterable[str], room: int) -> dict[str, str]:
    known = set(keys)
    boxes: dict[str, str] = {}
    for key in dict.fromkeys([*(key for key in first if key in known), *keys]):
        line = box(key)
        room -= source_size([line])
        if room < 0 or len(boxes) == _NODE_LIMIT:
            break
        boxes[key] = line
    return boxes


def _joining(arrows: Iterable[tuple[str, str, str]], boxes: Container[str], room: int) -> list[str]:
    """The lines of the edges whose two ends are drawn, as many as fit."""
    lines: list[str] = []
    for source, target, line in arrows:
        if source not in boxes or target not in boxes:
            continue
        room -= source_size([line])
        if room < 0 or len(lines) == EDGE_LIMIT:
            break
        lines.append(line)
    return lines
