"""What is laid over a graph of runs: how guards decided about each, and what each cost, alone and with what it led to.

Owns the sums over births. Which decision is the worst `decisions.py` knows. Linear, whatever the births look like. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from relayna.projections.lineage.run_edges import Run, RunEdge

__all__ = ["RunOverlay", "run_overlays"]

_Spent: TypeAlias = tuple[int, int, int]
"""Runs, cost and tokens."""


class RunOverlay(Struct, frozen=True, kw_only=True):
    """What is told of one run beside itself; cost in millionths of a dollar."""

    run_id: str
    decisions: dict[str, int]
    """By action, how often guards decided so; the worst first."""
    worst_action: str | None
    """Null where nothing was decided."""
    own_cost: int
    """Of the edges that lead to it: its birth, and what it tried again."""
    own_tokens: int
    subtree_runs: int
    """It and all that came of it, birth by birth."""
    subtree_cost: int
    subtree_tokens: int


def run_overlays(runs: Iterable[Run], edges: Iterable[RunEdge]) -> list[RunOverlay]:
    """An overlay for each of these runs, in their order. What edges lead to other runs is nobody's here."""
    runs, edges = list(runs), list(edges)
    own: dict[str, _Spent] = {run.run_id: (1, 0, 0) for run in runs}
    for edge in edges:
        if edge.target in own:
            own[edge.target] = _sum(own[edge.target], (0, edge.cost_attributed, edge.tokens_attributed))
    whole = _of_subtrees(own, _parents(own, edges))
    return [_overlay(run, own[run.run_id], whole[run.run_id]) for run in runs]


def _parents(known: Mapping[str, _Spent], edges: Iterable[RunEdge]) -> dict[str, str]:
    """By run, the run among these that gave birth to it."""
    parents: dict[str, str] = {}
    for edge in sorted(edges, key=lambda edge: (edge.at, edge.edge_id)):
        source, target = edge.source, edge.target
        if edge.is_birth and source is not None and source != target and {source, target} <= known.keys():
            parents.setdefault(target, source)
    return parents


def _of_subtrees(own: Mapping[str, _Spent], parents: Mapping[str, str]) -> dict[str, _Spent]:
    """Leaves first. Births in a circle, which only broken records tell, all lead to the same runs."""
    waiting = dict.fromkeys(own, 0)
    for parent in parents.values():
        waiting[parent] += 1
    whole = dict(own)
    done = [run_id for run_id, children in waiting.items() if not children]
    for run_id in done:
        if run_id in parents:
            parent = parents[run_id]
            whole[parent] = _sum(whole[parent], whole[run_id])
            waiting[parent] -= 1
            if not waiting[parent]:
                done.append(parent)
    for circle in _circles([run_id for run_id, children in waiting.items() if children], parents):
        together = (0, 0, 0)
        for run_id in circle:
            together = _sum(together, whole[run_id])
        whole.update(dict.fromkeys(circle, together))
    return whole


def _circles(left: list[str], parents: Mapping[str, str]) -> list[list[str]]:
    circles: list[list[str]] = []
    seen: set[str] = set()
    for start in left:
        circle: list[str] = []
        at = start
        while at not in seen:
            seen.add(at)
            circle.append(at)
            at = parents[at]
        if circle:
            circles.append(circle)
    return circles


def _overlay(run: Run, own: _Spent, whole: _Spent) -> RunOverlay:
    return RunOverlay(
        run_id=run.run_id,
        decisions=run.decisions.get("counts", {}),
        worst_action=run.decisions.get("worst"),
        own_cost=own[1],
        own_tokens=own[2],
        subtree_runs=whole[0],
        subtree_cost=whole[1],
        subtree_tokens=whole[2],
    )


def _sum(one: _Spent, other: _Spent) -> _Spent:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]
