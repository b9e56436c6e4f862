"""What is said of lineage outside: shapes of JSON, and how graphs and walks of runs become them.

Owns that times are told as text. HTTP and the command line say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from relayna.instants import UNTIMED, Instant, format_instant
from relayna.observability.lineage_view import PLAIN_VIEW, LineageView
from relayna.observability.shown_runs import GroupTold, shown_runs
from relayna.projections.lineage.diff import RunDiff
from relayna.projections.lineage.overlays import RunOverlay
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind, RunLineage
from relayna.projections.lineage.session_graph import DownstreamGraph, EdgeCounts, SessionGraph, SessionStats
from relayna.projections.lineage.walks import Walk

__all__ = [
    "Births", "Downstream", "HopTold", "RunEdgeTold", "RunTold", "RunsCompared", "Session", "Upstream", "births_told",
    "compared_told", "downstream_told", "session_told", "upstream_told",
]  # fmt: skip


class RunTold(Struct, frozen=True, kw_only=True):
    """One run: a task seen from far away."""

    run_id: str
    session_id: str
    agent: str | None
    """Its handler, else its stage or queue; null where nothing is known of it but its name."""
    workflow: str | None
    """Its task type, else the kind of its topology."""
    status: str | None
    started_at: str | None
    ended_at: str | None


class RunEdgeTold(Struct, frozen=True, kw_only=True):
    """How a run came from another, or from outside."""

    edge_id: str
    """The event that says so."""
    kind: RunEdgeKind
    source_run: str | None
    """Null from outside."""
    target_run: str
    at: str | None
    """Never before what led to it."""
    session_id: str
    """The target's."""
    is_birth: bool
    variant: str | None
    group_key: str | None
    """The parent's name for this child, of which it has one."""
    label: str | None
    cost_attributed: int
    """Millionths of a dollar."""
    tokens_attributed: int
    metadata: dict[str, Any] | None  # Any: the user's own JSON object


class HopTold(Struct, frozen=True, kw_only=True):
    """An edge on the way up."""

    hop: int
    edge: RunEdgeTold
    parent_run: RunTold | None
    """The run that it comes from; null from outside."""


class Upstream(Struct, frozen=True, kw_only=True):
    """What a run came from."""

    run: RunTold
    hops: list[HopTold]
    truncated: bool
    """An edge was left unfollowed at the limit of hops."""
    missing: list[str] = field(default_factory=list)
    """Why some histories are not whole: `trimmed`, `expired`, `limit_reached`, `reported_loss`, or why a record cannot be
    read, as `corrupt` and `unknown_type`."""
    as_of: str | None = None
    """Some of it is from run records that tell all until then; null where it is as it stands, or nobody knows."""
    lag_ms: int | None = None
    """How far that is behind."""


class Births(Struct, frozen=True, kw_only=True):
    """The chain of births from a run back to its origin."""

    run: RunTold
    births: list[HopTold]
    origin: str | None
    """The first run of all; null where its birth is not known."""
    missing: list[str] = field(default_factory=list)
    as_of: str | None = None
    lag_ms: int | None = None


class Downstream(Struct, frozen=True, kw_only=True):
    """What came of a run; the nodes include it. Cost in millionths of a dollar."""

    root_run_id: str
    nodes: list[RunTold]
    edges: list[RunEdgeTold]
    counts: EdgeCounts
    cost_total: int
    tokens_total: int
    truncated: bool
    missing: list[str] = field(default_factory=list)
    groups: list[GroupTold] = field(default_factory=list)
    """In the place of runs and edges that are not listed, when siblings were asked for as groups."""
    overlays: list[RunOverlay] | None = None
    """Of the nodes, in their order; null when nobody asked."""
    unknown_groups: list[str] = field(default_factory=list)
    """Of those that were to be shown run by run: no groups of this answer."""
    as_of: str | None = None
    lag_ms: int | None = None


class Session(Struct, frozen=True, kw_only=True):
    """All runs of a session and all edges that touch them."""

    session_id: str
    stats: SessionStats
    runs: list[RunTold]
    edges: list[RunEdgeTold]
    missing: list[str] = field(default_factory=list)
    groups: list[GroupTold] = field(default_factory=list)
    """In the place of runs and edges that are not listed, when siblings were asked for as groups."""
    overlays: list[RunOverlay] | None = None
    """Of the runs, in their order; null when nobody asked."""
    unknown_groups: list[str] = field(default_factory=list)
    """Of those that were to be shown run by run: no groups of this answer."""
    as_of: str | None = None
    lag_ms: int | None = None


class RunsCompared(RunDiff, frozen=True, kw_only=True):
    """What came of one run beside what came of another."""

    missing: list[str] = field(default_factory=list)
    as_of: str | None = None
    lag_ms: int | None = None


def upstream_told(walk: Walk, lineage: RunLineage, missing: list[str]) -> Upstream:
    """The walk up, with the run that each edge comes from."""
    hops = [_hop(one.hop, one.edge, lineage.runs) for one in walk.hops]
    return Upstream(run=_run(lineage.runs[walk.start]), hops=hops, truncated=walk.truncated, missing=missing)


def births_told(run_id: str, chain: Iterable[RunEdge], lineage: RunLineage, missing: list[str]) -> Births:
    """The chain, nearest first."""
    edges = list(chain)
    ends = bool(edges) and edges[-1].source is None
    return Births(
        run=_run(lineage.runs[run_id]),
        births=[_hop(number, edge, lineage.runs) for number, edge in enumerate(edges, 1)],
        origin=edges[-1].target if ends else None,
        missing=missing,
    )


def downstream_told(graph: DownstreamGraph, missing: list[str], view: LineageView = PLAIN_VIEW) -> Downstream:
    """The graph below a run."""
    shown = shown_runs(graph.nodes, graph.edges, view)
    return Downstream(
        root_run_id=graph.root_run_id,
        nodes=[_run(run) for run in shown.runs],
        edges=[_edge(edge) for edge in shown.edges],
        counts=graph.counts,
        cost_total=graph.cost_total,
        tokens_total=graph.tokens_total,
        truncated=graph.truncated,
        missing=missing,
        groups=shown.groups,
        overlays=shown.overlays,
        unknown_groups=shown.unknown_groups,
    )


def session_told(
    session_id: str, graph: SessionGraph, missing: list[str], view: LineageView = PLAIN_VIEW
) -> Session:
    """The graph of a session."""
    shown = shown_runs(graph.runs, graph.edges, view)
    return Session(
        session_id=session_id,
        stats=graph.stats,
        runs=[_run(run) for run in shown.runs],
        edges=[_edge(edge) for edge in shown.edges],
        missing=missing,
        groups=shown.groups,
        overlays=shown.overlays,
        unknown_groups=shown.unknown_groups,
    )


def compared_told(diff: RunDiff, missing: list[str]) -> RunsCompared:
    """The comparison."""
    return RunsCompared(**{name: getattr(diff, name) for name in RunDiff.__struct_fields__}, missing=missing)


def _hop(hop: int, edge: RunEdge, runs: Mapping[str, Run]) -> HopTold:
    parent = None if edge.source is None else runs.get(edge.source)
    return HopTold(hop=hop, edge=_edge(edge), parent_run=None if parent is None else _run(parent))


def _run(run: Run) -> RunTold:
    return RunTold(
        run_id=run.run_id,
        session_id=run.session_id,
        agent=run.agent,
        workflow=run.workflow,
        status=run.status,
        started_at=_time(run.started_at),
        ended_at=_time(run.ended_at),
    )


def _edge(edge: RunEdge) -> RunEdgeTold:
    return RunEdgeTold(
        edge_id=edge.edge_id,
        kind=edge.kind,
        source_run=edge.source,
        target_run=edge.target,
        at=_time(edge.at),
        session_id=edge.session_id,
        is_birth=edge.is_birth,
        variant=edge.variant,
        group_key=edge.group_key,
        label=edge.label,
        cost_attributed=edge.cost_attributed,
        tokens_attributed=edge.tokens_attributed,
        metadata=edge.metadata,
    )


def _time(at: Instant | None) -> str | None:
    return None if at is None or at == UNTIMED else format_instant(at)
