"""How often the runs of each agent end well. Owns the rule of what counts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from relayna.instants import Instant
from relayna.projections.lineage.run_edges import Run, RunLineage

__all__ = ["AgentReliability", "agent_reliability"]

_FAILED: Final = frozenset({"failed", "dead_lettered"})
_NOBODY: Final = "unknown"


class AgentReliability(Struct, frozen=True, kw_only=True):
    """The runs of one agent: a handler, else a queue or stage."""

    agent: str
    completed: int
    failed: int
    dead_lettered: int
    running: int
    cancelled: int
    success: float | None
    """Completed among those that ended; None, and not 0, when none did."""
    by_kind: dict[str, int]
    """Edges that led to its runs."""


def agent_reliability(lineage: RunLineage, *, since: Instant | None = None) -> list[AgentReliability]:
    """Each agent whose runs began since then, by name."""
    by_agent: dict[str, list[Run]] = {}
    for run in lineage.runs.values():
        if since is None or (run.started_at is not None and run.started_at >= since):
            by_agent.setdefault(run.agent or _NOBODY, []).append(run)
    agents = {run.run_id: agent for agent, runs in by_agent.items() for run in runs}
    kinds: dict[str, Counter[str]] = {}
    for edge in lineage.edges:
        if edge.target in agents:
            kinds.setdefault(agents[edge.target], Counter())[edge.kind] += 1
    return [_of(agent, runs, kinds.get(agent, Counter())) for agent, runs in sorted(by_agent.items())]


def _of(agent: str, runs: Iterable[Run], kinds: Counter[str]) -> AgentReliability:
    statuses = Counter(run.status for run in runs)
    completed, failed = statuses["completed"], sum(statuses[status] for status in _FAILED)
    ended = completed + failed
    return AgentReliability(
        agent=agent,
        completed=completed,
        failed=statuses["failed"],
        dead_lettered=statuses["dead_lettered"],
        running=sum(statuses.values()) - ended - statuses["cancelled"],
        cancelled=statuses["cancelled"],
        success=round(completed / ended, 4) if ended else None,
        by_kind=dict(sorted(kinds.items())),
    )
