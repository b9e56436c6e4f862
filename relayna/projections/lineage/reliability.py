"""How often the runs of each agent end well. Owns the rule of what counts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from relayna.instants import Instant
from relayna.projections.lineage.run_edges import Run, RunEdge, RunLineage

__all__ = ["MOST_AGENTS", "AgentReliability", "ReliabilityTally", "agent_reliability"]

MOST_AGENTS: Final = 1_000
"""So many are told apart; whoever comes after them is left out, and counted."""

_COUNTED: Final = frozenset({"completed", "failed", "dead_lettered", "cancelled"})
_NOBODY: Final = "unknown"


class AgentReliability(Struct, frozen=True, kw_only=True):
    """The runs whose last attempt was one agent's: a consumer by its given name, else a stage or queue."""

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


class ReliabilityTally:
    """Counts runs, each taken once, and holds on to none: its size is that of the agents."""

    def __init__(self) -> None:
        self._statuses: dict[str, Counter[str | None]] = {}
        self._kinds: dict[str, Counter[str]] = {}
        self.left_out = 0
        """Runs of agents beyond the first `MOST_AGENTS`."""

    def take(self, run: Run, edges: Iterable[RunEdge]) -> None:
        """One more run; of the edges, those that lead to it count."""
        agent = run.ended_by or run.agent or _NOBODY
        if agent not in self._statuses and len(self._statuses) >= MOST_AGENTS:
            self.left_out += 1
            return
        status = run.status if run.status in _COUNTED else None  # others may be anybody's words
        self._statuses.setdefault(agent, Counter())[status] += 1
        kinds = self._kinds.setdefault(agent, Counter())
        kinds.update(edge.kind for edge in edges if edge.target == run.run_id)

    def agents(self) -> list[AgentReliability]:
        """What was counted so far, by name."""
        return [_of(agent, self._statuses[agent], self._kinds[agent]) for agent in sorted(self._statuses)]


def agent_reliability(lineage: RunLineage, *, since: Instant | None = None) -> list[AgentReliability]:
    """Each agent whose runs began since then, by name."""
    leading: dict[str, list[RunEdge]] = {}
    for edge in lineage.edges:
        leading.setdefault(edge.target, []).append(edge)
    tally = ReliabilityTally()
    for run in lineage.runs.values():
        if since is None or (run.started_at is not None and run.started_at >= since):
            tally.take(run, leading.get(run.run_id, ()))
    return tally.agents()


def _of(agent: str, statuses: Counter[str | None], kinds: Counter[str]) -> AgentReliability:
    completed = statuses["completed"]
    ended = completed + statuses["failed"] + statuses["dead_lettered"]
    return AgentReliability(
        agent=agent,
        completed=completed,
        failed=statuses["failed"],
        dead_lettered=statuses["dead_lettered"],
        running=statuses[None],
        cancelled=statuses["cancelled"],
        success=round(completed / ended, 4) if ended else None,
        by_kind=dict(sorted(kinds.items())),
    )
