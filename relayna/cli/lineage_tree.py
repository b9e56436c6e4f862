"""Runs as a tree: a line for each edge, below the run that it leads away from, and each run drawn once.

Owns what is drawn below what, whatever the edges look like. How lines are written is in `lineage_output.py`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from relayna.observability.lineage_told import RunEdgeTold
from relayna.observability.shown_runs import GroupTold

__all__ = ["Drawn", "TreeLine", "tree_lines"]

Drawn: TypeAlias = RunEdgeTold | GroupTold

_DEEPEST: Final = 36
"""Columns of guides; below, runs stand beside their parent."""


class TreeLine(Struct, frozen=True, kw_only=True):
    """One line."""

    guides: str
    what: Drawn | None
    """The edge or group that it draws; of a root its birth, if that is known."""
    run_id: str | None
    """The run that the edge leads to, or with `up` comes from; None for a group, and for the outside."""
    is_root: bool
    is_new: bool
    """Whether the run is drawn here, and not only named."""


def tree_lines(
    roots: Iterable[str],
    edges: Sequence[RunEdgeTold],
    runs: Iterable[str],
    *,
    groups: Iterable[GroupTold] = (),
    up: bool = False,
) -> Iterator[TreeLine]:
    """Each root with what leads away from it, or with `up` to it; then runs that nothing leads to."""
    known = set(runs)
    births = {edge.target_run: edge for edge in reversed(edges) if edge.is_birth}
    hung = _Hung(edges, groups, known, up=up)
    drawn: set[str] = set()
    for root in [*roots, *sorted(known)]:
        if root in drawn or (up and drawn):
            continue
        drawn.add(root)
        birth = births.get(root)
        origin = birth if birth is not None and not up and hung.is_turned(birth) else None
        yield TreeLine(guides="", what=origin, run_id=root, is_root=True, is_new=True)
        yield from _below(root, hung, drawn, own=origin)


def _below(root: str, hung: _Hung, drawn: set[str], *, own: RunEdgeTold | None) -> Iterator[TreeLine]:
    stack = _stacked([one for one in hung.below(root) if one is not own], "")
    while stack:
        what, guides, ends = stack.pop()
        far = hung.far_end(what)
        is_new = far is not None and far not in drawn
        yield TreeLine(
            guides=f"{guides}{'└─' if ends else '├─'} ", what=what, run_id=far, is_root=False, is_new=is_new
        )
        if far is not None and is_new:
            drawn.add(far)
            deeper = guides if len(guides) >= _DEEPEST else guides + ("   " if ends else "│  ")
            stack += _stacked([one for one in hung.below(far) if one is not what], deeper)


class _Hung:
    """What stands below which run: an edge below its near end, or below the other where that is no run of these."""

    def __init__(
        self, edges: Iterable[RunEdgeTold], groups: Iterable[GroupTold], known: set[str], *, up: bool
    ) -> None:
        self._up = up
        self._known = known
        self._below: dict[str, list[Drawn]] = {}
        for edge in edges:
            near = edge.target_run if self.is_turned(edge) else edge.source_run
            self._below.setdefault(near or "", []).append(edge)
        for group in groups:
            self._below.setdefault(group.parent_run, []).append(group)
        for below in self._below.values():
            below.sort(key=_time)

    def below(self, run_id: str) -> list[Drawn]:
        return self._below.get(run_id, [])

    def far_end(self, what: Drawn) -> str | None:
        if isinstance(what, GroupTold):
            return None
        return what.source_run if self.is_turned(what) else what.target_run

    def is_turned(self, edge: RunEdgeTold) -> bool:
        """Whether it stands below the run that it leads to."""
        return self._up or edge.source_run not in self._known


def _time(one: Drawn) -> str:
    return (one.first_at if isinstance(one, GroupTold) else one.at) or ""


def _stacked(below: list[Drawn], guides: str) -> list[tuple[Drawn, str, bool]]:
    """Each with what is drawn before it, and whether it is the last of them."""
    last = len(below) - 1
    return [(one, guides, number == last) for number, one in reversed(list(enumerate(below)))]
