"""What is said of agents' reliability outside: the shape of JSON, and how a count becomes it.

Owns that times are told as text. HTTP and the command line say the same.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.instants import Instant, format_instant
from relayna.projections.lineage.reliability import AgentReliability, ReliabilityTally

__all__ = ["AgentsReliability", "agents_told"]


class AgentsReliability(Struct, frozen=True, kw_only=True):
    """How the runs of each agent went that began within a window."""

    since: str
    """Runs that began earlier are not in it."""
    as_of: str
    agents: list[AgentReliability]
    """By name."""
    runs: int
    """All that were counted."""
    left_out: int
    """Runs of agents beyond the first 1,000."""
    unreadable: int
    """Records of runs that could not be read."""


def agents_told(
    tally: ReliabilityTally, *, since: Instant, as_of: Instant, unreadable: int
) -> AgentsReliability:
    """The count, as it is told."""
    agents = tally.agents()
    return AgentsReliability(
        since=format_instant(since),
        as_of=format_instant(as_of),
        agents=agents,
        runs=sum(
            one.completed + one.failed + one.dead_lettered + one.running + one.cancelled for one in agents
        ),
        left_out=tally.left_out,
        unreadable=unreadable,
    )
