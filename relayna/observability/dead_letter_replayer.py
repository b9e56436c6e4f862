"""What can be asked of whoever keeps dead letters and replays them, and what it answers.

Owns the protocols through which HTTP does both: it never sees a broker. `DLQService` implements them.
"""

from __future__ import annotations

import enum
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from relayna.observability.stores import PlainRecord
from relayna.projections.replay_plan import ReplayPlan

__all__ = ["DeadLetterKeeper", "DeadLetterReplayer", "ReplayOutcome", "ReplayResult", "Via"]

Via: TypeAlias = Literal["http", "command_line", "mcp", "process"]
"""By which way somebody asks."""


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
        self,
        task_id: str,
        dead_letter_id: str,
        *,
        force: bool = False,
        replayed_by: str | None = None,
        via: Via = "process",
        reason: str | None = None,
        expect_replay_count: int | None = None,
    ) -> ReplayResult:
        """Publish the letter again and record it, unless the plan refuses.

        Who asked (`replayed_by`), by which way and with which `reason`, and how it ended, is in the task's stream
        before this returns; where that cannot be recorded, nothing is done. With `expect_replay_count` it is
        refused when the letter was replayed more or less often by now. Raises `StoreError`, `BrokerError`.
        """


class DeadLetterKeeper(DeadLetterReplayer, Protocol):
    """Shows dead letters, and sends them again."""

    @property
    def can_replay(self) -> bool:
        """Whether it has a broker to publish to; without, `replay` raises `InvalidSetting`."""

    async def list_dead_letters(self, task_id: str) -> list[PlainRecord]:
        """The task's dead letters, oldest first. Raises `StoreError`."""

    async def is_known(self, task_id: str) -> bool:
        """Whether anything is recorded for the task. Raises `StoreError`."""

    async def get_dead_letter(self, task_id: str, dead_letter_id: str) -> PlainRecord:
        """One dead letter with headers and body (base64). Raises `DeadLetterNotFound`, `StoreError`."""
