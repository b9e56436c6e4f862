"""What was made from what, as lines to be read from top to bottom: each run drawn once, circles named.

Owns where lines begin and what hangs on what. Says nothing in colours. Linear, without recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from relayna.projections.trace.profile import ProfileSummary

__all__ = ["LineageLine", "lineage_lines"]

Mark: TypeAlias = Literal["", "above", "cycle"]


class LineageLine(Struct, frozen=True, kw_only=True):
    """A line."""

    data_id: str
    guides: tuple[bool, ...] = ()
    """From the outermost level inwards, whether more of that level follows; empty for one that has no source."""
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
    open_here: list[str] = []
    stack: list[tuple[str, tuple[bool, ...]]] = [(start, ())]
    while stack:
        data_id, guides = stack.pop()
        del open_here[len(guides) :]
        if data_id in drawn:
            yield LineageLine(
                data_id=data_id, guides=guides, mark="cycle" if data_id in open_here else "above"
            )
            continue
        drawn.add(data_id)
        open_here.append(data_id)
        yield LineageLine(data_id=data_id, guides=guides)
        below = list(made.get(data_id, ()))
        stack += [
            (one, (*guides, number < len(below) - 1)) for number, one in reversed(list(enumerate(below)))
        ]


def _alone(summary: ProfileSummary, linked: Iterable[str]) -> list[str]:
    known = dict.fromkeys((*summary.data_ids, *(asset.latest_data_id for asset in summary.assets)))
    return [data_id for data_id in known if data_id not in linked]
