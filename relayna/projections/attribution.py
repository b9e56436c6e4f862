"""Which attempt a fact belongs to, and how that is known.

By recorded ids it is observed. Without ids it is inferred: the newest attempt begun by then, else the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from relayna.events import StatusPublished, TaskPublished, WorkflowMessagePublished
from relayna.ids import AttemptId, EventId
from relayna.projections.attempts import Attempt, Attempts
from relayna.projections.fact_ids import attempt_named_by, cause_of
from relayna.projections.ordering import PlacedEvent

__all__ = ["NOBODY", "OBSERVED", "Attribution", "Evidence", "attribute"]

Evidence: TypeAlias = Literal["observed", "inferred"]


class Attribution(Struct, frozen=True, gc=False):
    """The attempt, or none for the task itself, and how that is known."""

    attempt: Attempt | None
    evidence: Evidence
    rule: str | None = None
    """The name of the rule that an inferred one rests on."""


OBSERVED: Evidence = "observed"
NOBODY: Final = Attribution(None, "inferred", "no_attempt_begun_by_then")
_PUBLISHED: Final = (TaskPublished, WorkflowMessagePublished)


def attribute(
    attempts: Attempts, placed: PlacedEvent, recorded: Mapping[EventId, PlacedEvent]
) -> Attribution:
    """Find the attempt that made this fact; `recorded` is all that the task's history holds."""
    envelope = placed.event.envelope
    attempt_id = envelope.attempt_id
    named = None if attempt_id is None else attempts.by_ref.get(attempt_id)
    if named is not None:
        return Attribution(named, OBSERVED)
    cause = cause_of(envelope)
    if cause is not None:
        causing = attempts.with_id(attempt_named_by(cause)) or attempts.with_id(AttemptId(cause))
        if causing is not None:
            return Attribution(causing, OBSERVED)
        if isinstance(placed.event.body, StatusPublished) and _is_outside(recorded.get(cause)):
            return Attribution(None, OBSERVED)
    newest = attempts.newest_begun(placed)
    if newest is not None:
        return Attribution(newest, "inferred", "newest_attempt_begun_by_then")
    return NOBODY


def _is_outside(causing: PlacedEvent | None) -> bool:
    """Whoever publishes a task may publish statuses of it, whatever attempts run by then."""
    return (
        causing is not None
        and causing.event.envelope.attempt_id is None
        and isinstance(causing.event.body, _PUBLISHED)
    )
