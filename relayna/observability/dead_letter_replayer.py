"""What can be asked of whoever replays dead letters, and what it answers.

Owns the protocol through which HTTP replays: it never sees a broker. `DLQService` implements it.
"""

from __future__ import annotations

import enum
from typing import Protocol

from msgspec import Struct

from relayna.projections.replay_plan import ReplayPlan

__all__ = ["DeadLetterReplayer", "ReplayOutcome", "ReplayResult"]


class ReplayOutcome(enum.Enum):
    """How a replay went."""

    REPLAYED = "replayed"
    """The broker has the message, and the log says so."""
    REFUSED = "refused"
    """The plan speaks against it; nothing was published."""
    UNKNOWN = "unknown"
    """The broker did not confirm: it may have the message. Once the claim has run out, replaying again repeats
    the same copy."""
    UNMARKED = "unmarked"
    """The broker has the message, and the log may not say so. Once the claim has run out, replaying again repeats
    the same copy; once an attempt at it is recorded, it only says so."""


class ReplayResult(Struct, frozen=True, kw_only=True):
    """What was done, and by which plan."""

    outcome: ReplayOutcome
    plan: ReplayPlan
    problem: str | None = None
    """What stood in the way, for people."""


class DeadLetterReplayer(Protocol):
    """Sends dead letters again."""

    async def plan(self, task_id: str, dead_letter_id: str, *, force: bool = False) -> ReplayPlan:
        """What `replay` would do now; changes nothing. Raises `StoreError`."""

    async def replay(
        self, task_id: str, dead_letter_id: str, *, force: bool = False, replayed_by: str | None = None
    ) -> ReplayResult:
        """Publish the letter again and record it, unless the plan refuses. Raises `StoreError`, `BrokerError`."""
