"""Which attempt a fact belongs to, and how that is known.

By recorded ids it is observed. Without ids it is inferred: the newest attempt begun by then, else the task.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from relayna.ids import AttemptId, own_event_id
from relayna.projections.attempts import Attempt, Attempts
from relayna.projections.ordering import PlacedEvent

__all__ = ["OBSERVED", "Attribution", "Evidence", "attribute"]

Evidence: TypeAlias = Literal["observed", "inferred"]


class Attribution(Struct, frozen=True, gc=False):
    """The attempt, or none for the task itself, and how that is known."""

    attempt: Attempt | None
    evidence: Evidence
    rule: str | None = None
    """The name of the rule that an inferred one rests on."""


OBSERVED: Evidence = "observed"


def attribute(attempts: Attempts, placed: PlacedEvent) -> Attribution:
    """Find the attempt that made this fact."""
    envelope = placed.event.envelope
    named = attempts.with_id(envelope.attempt_id)
    if named is not None:
        return Attribution(named, OBSERVED)
    if envelope.cause is not None:
        # `<attempt>.<seq>`: the id names the attempt even when that event itself is missing.
        causing = attempts.with_id(AttemptId(own_event_id(envelope.cause).rpartition(".")[0]))
        if causing is not None:
            return Attribution(causing, OBSERVED)
    newest = attempts.newest_begun(placed)
    if newest is not None:
        return Attribution(newest, "inferred", "newest_attempt_begun_by_then")
    return Attribution(None, "inferred", "no_attempt_begun_by_then")
