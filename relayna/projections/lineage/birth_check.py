"""Which started runs nobody gave birth to. Owns the rule. Pure.

A run that began was led to by exactly one thing. Where its birth was only made up for drawing, from a parent that
is named (`span_tree_fallback`), whoever started the run has not said so.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from relayna.instants import Instant
from relayna.projections.lineage.run_edges import Run, RunEdge

__all__ = ["RunWithoutBirth", "is_recorded_birth", "runs_without_birth"]


class RunWithoutBirth(Struct, frozen=True, kw_only=True):
    """A run that began, and that no recorded edge led to."""

    run_id: str
    session_id: str
    agent: str | None
    """Who handles it."""
    started_at: Instant
    parent: str | None = None
    """Whom it names as its parent, where it does."""


def runs_without_birth(runs: Iterable[Run], edges: Iterable[RunEdge]) -> list[RunWithoutBirth]:
    """Each such run, in the order in which they began. `edges` are all that lead to these runs."""
    born: set[str] = set()
    parents: dict[str, str | None] = {}
    for edge in edges:
        if is_recorded_birth(edge):
            born.add(edge.target)
        elif edge.kind == "span_tree_fallback":
            parents.setdefault(edge.target, edge.source)
    found = [
        RunWithoutBirth(
            run_id=run.run_id,
            session_id=run.session_id,
            agent=run.agent,
            started_at=run.started_at,
            parent=parents.get(run.run_id),
        )
        for run in runs
        if run.started_at is not None and run.run_id not in born
    ]
    return sorted(found, key=lambda one: (one.started_at, one.run_id))


def is_recorded_birth(edge: RunEdge) -> bool:
    """Whether somebody said that this edge led to its target's being there."""
    return edge.is_birth and edge.kind != "span_tree_fallback"
