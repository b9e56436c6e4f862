"""What was made from what, as lines to be read from top to bottom: each run drawn once, circles named.

Owns where lines begin and what hangs on what. Says nothing in colours. Linear, without recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from relayna.projections.trace.profile import ProfileSummary

__all__ = ["LineageLine", "lineage_lines"]

Mark: TypeAlias = Literal["", "above", "cycle"]

_DEEPEST: Final = 12
"""Levels that have guides; what is deeper stands below each other."""


class LineageLine(Struct, frozen=True, kw_only=True):
    """A line."""

    data_id: str
    depth: int = 0
    """How many sources are above it."""
    guides: tuple[bool, ...] = ()
    """Of the outermost levels above, whether more of that level follows; at most 12 of them."""
    ends: bool = False
    """Whether nothing beside it follows."""
    mark: Mark = ""
    """`above`: it is drawn already. `cycle`: it is its own source, over those between."""


def lineage_lines(summary: ProfileSummary) -> Iterator[LineageLine]:
    """Runs without a source first, each with what was made from it; then circles; then what stands alone."""
    made: dict[str, dict[str, None]] = {}
    has_source: set[str] = set()
    for row in summary.lineage:
        made.setdefault(row.source_data_id, {})[row.data_id] = None
        has_source.add(row.data_id)
    linked = dict.fromkeys((*made, *(row.data_id for row in summary.lineage)))
    drawn: set[str] = set()
    starts = [one for one in linked if one not in has_source]
    for start in (*starts, *linked):
        if start not in drawn:
            yield from _drawn_from(start, made, drawn)
    for data_id in _alone(summary, linked):
        yield LineageLine(data_id=data_id)


def _drawn_from(start: str, made: dict[str, dict[str, None]], drawn: set[str]) -> Iterator[LineageLine]:
    way: list[str] = []
    on_the_way: set[str] = set()
    stack = [LineageLine(data_id=start)]
    while stack:
        line = stack.pop()
        on_the_way.difference_update(way[line.depth :])
        del way[line.depth :]
        if line.data_id in drawn:
            yield replace(line, mark="cycle" if line.data_id in on_the_way else "above")
            continue
        drawn.add(line.data_id)
        way.append(line.data_id)
        on_the_way.add(line.data_id)
        yield line
        guides = (*line.guides, not line.ends) if line.depth else ()
        below = list(made.get(line.data_id, ()))
        stack += [
            LineageLine(
                data_id=one, depth=line.depth + 1, guides=guides[:_DEEPEST], ends=number == len(below) - 1
            )
            for number, one in reversed(list(enumerate(below)))
        ]


def _alone(summary: ProfileSummary, linked: Iterable[str]) -> list[str]:
    known = dict.fromkeys((*summary.data_ids, *(asset.latest_data_id for asset in summary.assets)))
    return [data_id for data_id in known if data_id not in linked]
