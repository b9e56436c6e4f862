"""Many children alike drawn as one. Owns which are alike enough; failures are never hidden. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeAlias

from msgspec import Struct

from relayna.instants import Instant
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind

__all__ = ["SiblingGroup", "group_siblings"]

_LEAST: Final = 5
_SHOWN: Final = frozenset({"failed", "dead_lettered"})

_Likeness: TypeAlias = tuple[str, RunEdgeKind, str | None, str | None]


class SiblingGroup(Struct, frozen=True, kw_only=True):
    """Children of one run that came about alike and led to nothing."""

    parent: str
    kind: RunEdgeKind
    agent: str | None
    workflow: str | None
    run_ids: list[str]
    """For who wants to see them one by one."""
    by_status: dict[str, int]
    cost: int
    tokens: int
    first_at: Instant
    last_at: Instant


def group_siblings(runs: dict[str, Run], edges: list[RunEdge]) -> list[SiblingGroup]:
    """Groups of five or more, by their first birth. Failed runs stay outside; so does whatever leads on.

    Only children of runs that are among these: others have no place to stand below.
    """
    leading_on = {edge.source for edge in edges if edge.source is not None and not edge.is_self}
    costs: dict[str, tuple[int, int]] = {}
    alike: dict[_Likeness, list[RunEdge]] = {}
    for edge in edges:
        cost, tokens = costs.get(edge.target, (0, 0))
        costs[edge.target] = cost + edge.cost_attributed, tokens + edge.tokens_attributed
        run = runs.get(edge.target)
        if not edge.is_birth or edge.source not in runs or run is None:
            continue
        if edge.target not in leading_on and run.status not in _SHOWN:
            alike.setdefault((edge.source, edge.kind, run.agent, run.workflow), []).append(edge)
    groups = [_group(like, births, runs, costs) for like, births in alike.items() if len(births) >= _LEAST]
    return sorted(groups, key=lambda group: (group.first_at, group.parent, group.run_ids))


def _group(
    like: _Likeness, births: list[RunEdge], runs: dict[str, Run], costs: dict[str, tuple[int, int]]
) -> SiblingGroup:
    parent, kind, agent, workflow = like
    births = sorted(births, key=lambda edge: (edge.at, edge.edge_id))
    ids = [edge.target for edge in births]
    return SiblingGroup(
        parent=parent,
        kind=kind,
        agent=agent,
        workflow=workflow,
        run_ids=ids,
        by_status=dict(sorted(Counter(runs[run_id].status or "unknown" for run_id in ids).items())),
        cost=sum(costs[run_id][0] for run_id in ids),
        tokens=sum(costs[run_id][1] for run_id in ids),
        first_at=births[0].at,
        last_at=births[-1].at,
    )
