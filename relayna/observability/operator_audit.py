"""The audit of one thing that an operator asks for: told in the task's stream, before it is done and when it has ended.

Owns which steps are told, and what happens when one cannot be. Does nothing of what is asked for.
"""

from __future__ import annotations

import logging
from typing import Final, Literal, TypeAlias

import anyio
from msgspec import Struct

from relayna.errors import StoreError
from relayna.events import OperatorActed
from relayna.observability.dead_letter_replayer import ReplayOutcome, ReplayResult, Via
from relayna.observability.dead_letter_store import DLQStore
from relayna.projections.replay_plan import ReplayPlan

__all__ = ["OperatorAudit", "ReplayRequest"]

_log: Final = logging.getLogger("relayna.observability")

_Step: TypeAlias = Literal["asked", "done", "refused", "failed", "unknown"]

_STEPS: Final[dict[ReplayOutcome, _Step]] = {
    ReplayOutcome.REPLAYED: "done",
    ReplayOutcome.UNMARKED: "done",
    ReplayOutcome.REFUSED: "refused",
    ReplayOutcome.UNKNOWN: "unknown",
}


class ReplayRequest(Struct, frozen=True, kw_only=True):
    """What somebody asked for, beside which letter."""

    force: bool = False
    replayed_by: str | None = None
    via: Via = "process"
    reason: str | None = None
    expect_replay_count: int | None = None


class OperatorAudit:
    """One request to replay a letter."""

    def __init__(self, store: DLQStore, plan: ReplayPlan, request: ReplayRequest, *, action_id: str) -> None:
        self._store = store
        self._plan = plan
        self._request = request
        self._action_id = action_id

    async def asked(self) -> None:
        """Tell that it was asked for. Raises `StoreError`: then it must not be done."""
        await self._say("asked")

    async def failed(self, error: Exception) -> None:
        """Tell that it came to nothing; where that cannot be told, too, the program's log has to do."""
        with anyio.CancelScope(shield=True):
            try:
                await self._say("failed", problem=str(error))
            except StoreError as reason:
                _log.warning(
                    "The failed replay of %s is not in its stream: %s", self._plan.dead_letter_id, reason
                )

    async def ended(self, result: ReplayResult) -> ReplayResult:
        """Tell how it ended, and the result. Raises `StoreError` when nothing was done and that cannot be told."""
        with anyio.CancelScope(shield=True):  # whoever loses patience must not leave it untold
            try:
                await self._say(_STEPS[result.outcome], problem=result.problem)
            except StoreError as error:
                if result.outcome is ReplayOutcome.REFUSED:
                    raise
                outcome = result.outcome
                if outcome is ReplayOutcome.REPLAYED:
                    outcome = ReplayOutcome.UNMARKED
                return ReplayResult(outcome=outcome, plan=result.plan, problem=result.problem or str(error))
        return result

    async def _say(self, step: _Step, *, problem: str | None = None) -> None:
        action = OperatorActed(
            action="replay",
            action_id=self._action_id,
            target_id=self._plan.dead_letter_id,
            actor=self._request.replayed_by,
            via=self._request.via,
            outcome=step,
            reason=self._request.reason if step == "asked" else None,
            problem=problem,
        )
        await self._store.add_action(self._plan, action)
