"""Up and down the edges between runs: what came of a run, what it came from, and the chain of births.

Owns the walk: in time, each edge and each run once, linear in the edges but for sorting them. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct

from relayna.projections.lineage.run_edges import RunEdge, RunEdgeKind

__all__ = ["DEFAULT_HOPS", "MAX_HOPS", "Hop", "Walk", "birth_chain", "walk_down", "walk_up"]

MAX_HOPS: Final = 50
DEFAULT_HOPS: Final = 10


class Hop(Struct, frozen=True, gc=False):
    """An edge that was followed, and how far from the start that was."""

    hop: int
    edge: RunEdge


class Walk(Struct, frozen=True, kw_only=True):
    """What a walk found."""

    start: str
    hops: list[Hop]
    """By distance, then time."""
    runs: dict[str, int]
    """Every run reached, with its distance; the start has 0."""
    truncated: bool
    """An edge was left unfollowed at the limit."""


def walk_down(
    edges: Iterable[RunEdge],
    start: str,
    *,
    max_hops: int = DEFAULT_HOPS,
    kinds: Collection[RunEdgeKind] = (),
    causal: bool = True,
) -> Walk:
    """What came of a run. In time, an edge is followed only if it is not earlier than the arrival at its source."""
    return _walk(_Map(edges, kinds, up=False), start, max_hops, causal=causal)


def walk_up(
    edges: Iterable[RunEdge],
    start: str,
    *,
    max_hops: int = DEFAULT_HOPS,
    kinds: Collection[RunEdgeKind] = (),
    causal: bool = True,
) -> Walk:
    """What a run came from. In time, an edge is followed only if it is not later than the departure."""
    return _walk(_Map(edges, kinds, up=True), start, max_hops, causal=causal)


def birth_chain(edges: Iterable[RunEdge], run_id: str) -> list[RunEdge]:
    """The births from a run back to its origin. Ends where no birth is known, and where births run in a circle."""
    births: dict[str, RunEdge] = {}
    for edge in sorted(edges, key=lambda edge: (edge.at, edge.edge_id)):
        if edge.is_birth:
            births.setdefault(edge.target, edge)
    chain: list[RunEdge] = []
    seen: set[str] = set()
    at: str | None = run_id
    while at is not None and at not in seen and at in births:
        seen.add(at)
        chain.append(births[at])
        at = births[at].source
    return chain


class _Map:
    """Edges by the run that they lead away from, in the direction of the walk, nearest in time first."""

    def __init__(self, edges: Iterable[RunEdge], kinds: Collection[RunEdgeKind], *, up: bool) -> None:
        self._up = up
        self._leaving: dict[str, list[tuple[int, RunEdge]]] = {}
        wanted = frozenset(kinds)
        for edge in edges:
            near = edge.target if up else edge.source
            if near is not None and (not wanted or edge.kind in wanted):
                self._leaving.setdefault(near, []).append((-edge.at if up else edge.at, edge))
        for leaving in self._leaving.values():
            leaving.sort(key=lambda entry: (entry[0], entry[1].edge_id))

    def far_end(self, edge: RunEdge) -> str | None:
        return edge.source if self._up else edge.target

    def leaving(self, run_id: str) -> list[tuple[int, RunEdge]]:
        return self._leaving.get(run_id, [])


def _walk(roads: _Map, start: str, max_hops: int, *, causal: bool) -> Walk:
    runs = {start: 0}
    hops: list[Hop] = []
    untaken: dict[str, int] = {}
    """By run, how many of its edges were too early when it was last arrived at: an earlier arrival opens them."""
    truncated = False
    arrived: Mapping[str, int | None] = {start: None}
    hop = 0
    while arrived:
        hop += 1
        following: dict[str, int | None] = {}
        for run_id, time in arrived.items():
            leaving = roads.leaving(run_id)
            first = 0 if time is None else bisect_left(leaving, time, key=lambda entry: entry[0])
            opened = leaving[first : untaken.get(run_id, len(leaving))]
            untaken[run_id] = min(first, untaken.get(run_id, len(leaving)))
            if hop > max_hops:
                truncated = truncated or bool(opened)
                continue
            for at, edge in opened:
                hops.append(Hop(hop, edge))
                far = roads.far_end(edge)
                if far is None or edge.is_self:
                    continue
                runs.setdefault(far, hop)
                known = following.get(far, at)
                following[far] = at if known is None or at < known else known
        arrived = {run: time if causal else None for run, time in following.items()}
    hops.sort(key=lambda one: (one.hop, one.edge.at, one.edge.edge_id))
    return Walk(start=start, hops=hops, runs=runs, truncated=truncated)
