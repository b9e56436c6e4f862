"""Graphs of runs: of a session, and of what came of one run. Owns their shapes and sums. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from msgspec import Struct

from relayna.instants import Instant
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind, RunLineage
from relayna.projections.lineage.walks import DEFAULT_HOPS, walk_down

__all__ = [
    "DownstreamGraph",
    "EdgeCounts",
    "SessionGraph",
    "SessionStats",
    "downstream_graph",
    "session_graph",
]


class SessionStats(Struct, frozen=True, kw_only=True):
    """A session in numbers; cost in millionths of a dollar."""

    run_count: int
    edge_count: int
    total_cost: int
    total_tokens: int
    root_run_ids: list[str]
    """Runs that no run of this session gave birth to."""


class SessionGraph(Struct, frozen=True, kw_only=True):
    """All runs of a session and all edges that touch them."""

    stats: SessionStats
    runs: list[Run]
    edges: list[RunEdge]


class EdgeCounts(Struct, frozen=True, kw_only=True):
    """How much was found."""

    total_runs: int
    total_edges: int
    by_kind: dict[str, int]


class DownstreamGraph(Struct, frozen=True, kw_only=True):
    """What came of one run; the nodes include it."""

    root_run_id: str
    nodes: list[Run]
    edges: list[RunEdge]
    counts: EdgeCounts
    cost_total: int
    tokens_total: int
    truncated: bool


def session_graph(
    lineage: RunLineage,
    session_id: str,
    *,
    kinds: Collection[RunEdgeKind] = (),
    at: Instant | None = None,
) -> SessionGraph:
    """The session as it is, or as it was at a time. A bridge is shown in the sessions of both of its ends."""
    edges = [edge for edge in _in_order(lineage.edges) if _is_of(edge, session_id, lineage)]
    edges = [edge for edge in edges if _is_wanted(edge, kinds, at)]
    born_within = {
        edge.target
        for edge in edges
        if edge.is_birth and edge.source is not None and _is_inside(edge, lineage)
    }
    ids = {edge.target for edge in edges} | {edge.source for edge in edges if edge.source is not None}
    ids |= {run_id for run_id, run in lineage.runs.items() if not kinds and _had_begun(run, at)}
    runs = [_run(lineage, run_id, session_id) for run_id in sorted(ids)]
    of_session = [run for run in runs if run.session_id == session_id]
    return SessionGraph(
        stats=SessionStats(
            run_count=len(of_session),
            edge_count=len(edges),
            total_cost=sum(edge.cost_attributed for edge in edges),
            total_tokens=sum(edge.tokens_attributed for edge in edges),
            root_run_ids=[run.run_id for run in of_session if run.run_id not in born_within],
        ),
        runs=of_session,
        edges=edges,
    )


def downstream_graph(
    lineage: RunLineage,
    run_id: str,
    *,
    max_hops: int = DEFAULT_HOPS,
    kinds: Collection[RunEdgeKind] = (),
    causal: bool = True,
) -> DownstreamGraph:
    """What came of a run, with sums over the edges found."""
    walk = walk_down(lineage.edges, run_id, max_hops=max_hops, kinds=kinds, causal=causal)
    edges = [hop.edge for hop in walk.hops]
    session_id = next((edge.session_id for edge in lineage.edges if edge.target == run_id), "")
    return DownstreamGraph(
        root_run_id=run_id,
        nodes=[_run(lineage, reached, session_id) for reached in walk.runs],
        edges=edges,
        counts=EdgeCounts(
            total_runs=len(walk.runs),
            total_edges=len(edges),
            by_kind=dict(sorted(Counter(edge.kind for edge in edges).items())),
        ),
        cost_total=sum(edge.cost_attributed for edge in edges),
        tokens_total=sum(edge.tokens_attributed for edge in edges),
        truncated=walk.truncated,
    )


def _in_order(edges: Iterable[RunEdge]) -> list[RunEdge]:
    return sorted(edges, key=lambda edge: (edge.at, edge.edge_id))


def _is_of(edge: RunEdge, session_id: str, lineage: RunLineage) -> bool:
    if edge.session_id == session_id:
        return True
    source = lineage.runs.get(edge.source) if edge.source is not None else None
    return edge.kind == "cross_session_bridge" and source is not None and source.session_id == session_id


def _is_inside(edge: RunEdge, lineage: RunLineage) -> bool:
    source = lineage.runs.get(edge.source) if edge.source is not None else None
    return edge.kind != "cross_session_bridge" and (source is None or source.session_id == edge.session_id)


def _is_wanted(edge: RunEdge, kinds: Collection[RunEdgeKind], at: Instant | None) -> bool:
    return (not kinds or edge.kind in kinds) and (at is None or edge.at <= at)


def _had_begun(run: Run, at: Instant | None) -> bool:
    return at is None or (run.started_at is not None and run.started_at <= at)


def _run(lineage: RunLineage, run_id: str, session_id: str) -> Run:
    return lineage.runs.get(run_id) or Run(run_id=run_id, session_id=session_id)
