"""Which runs and edges of a graph stand in an answer by themselves, which as a group, and what is laid over them.

Owns that nothing is lost by it: runs and groups together are all runs, and their edges and costs all edges and
costs. Which runs are alike is the projection's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from relayna.instants import UNTIMED, format_instant
from relayna.observability.lineage_view import LineageView
from relayna.projections.lineage.overlays import RunOverlay, run_overlays
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind
from relayna.projections.lineage.siblings import SiblingGroup, group_siblings

__all__ = ["GroupTold", "ShownRuns", "shown_runs"]


class GroupTold(Struct, frozen=True, kw_only=True):
    """Five or more children of one run that came about alike and led to nothing, in the place of them all."""

    group_id: str
    """The same for as long as they are children of that run by that kind, agent and workflow."""
    parent_run: str
    kind: RunEdgeKind
    agent: str | None
    workflow: str | None
    run_ids: list[str]
    """By birth. None of them has failed: those that did stand by themselves."""
    by_status: dict[str, int]
    edge_count: int
    """Edges that lead to them, which stand here and nowhere else."""
    cost: int
    """Of these edges, in millionths of a dollar."""
    tokens: int
    first_at: str | None
    """When the first of them was born."""
    last_at: str | None


class ShownRuns(Struct, frozen=True, kw_only=True):
    """What stands in an answer."""

    runs: list[Run]
    edges: list[RunEdge]
    groups: list[GroupTold]
    overlays: list[RunOverlay] | None
    """Of these runs; None when nobody asked."""
    unknown_groups: list[str]
    """Of those that the view expands: no groups of these."""


def shown_runs(runs: Iterable[Run], edges: Iterable[RunEdge], view: LineageView) -> ShownRuns:
    """These runs and edges as the view wants them, in their order."""
    runs, edges = list(runs), list(edges)
    overlays = run_overlays(runs, edges) if view.overlays else None
    found = group_siblings({run.run_id: run for run in runs}, edges) if view.grouped else []
    known = {_group_id(group): group for group in found}
    groups = {group_id: group for group_id, group in known.items() if group_id not in view.expand}
    group_of = {run_id: group_id for group_id, group in groups.items() for run_id in group.run_ids}
    counts = dict.fromkeys(groups, 0)
    for edge in edges:
        if edge.target in group_of:
            counts[group_of[edge.target]] += 1
    return ShownRuns(
        runs=[run for run in runs if run.run_id not in group_of],
        edges=[edge for edge in edges if edge.target not in group_of],
        groups=[_group(group_id, group, counts[group_id]) for group_id, group in groups.items()],
        overlays=None if overlays is None else [one for one in overlays if one.run_id not in group_of],
        unknown_groups=sorted(view.expand.difference(known)) if view.grouped else [],
    )


def _group_id(group: SiblingGroup) -> str:
    likeness = msgspec.json.encode((group.parent, group.kind, group.agent, group.workflow))
    return f"g{hashlib.sha256(likeness).hexdigest()[:10]}"


def _group(group_id: str, group: SiblingGroup, edge_count: int) -> GroupTold:
    first, last = (None if at == UNTIMED else format_instant(at) for at in (group.first_at, group.last_at))
    return GroupTold(
        group_id=group_id,
        parent_run=group.parent,
        kind=group.kind,
        agent=group.agent,
        workflow=group.workflow,
        run_ids=group.run_ids,
        by_status=group.by_status,
        edge_count=edge_count,
        cost=group.cost,
        tokens=group.tokens,
        first_at=first,
        last_at=last,
    )
