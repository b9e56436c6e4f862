"""The ids by which folds know facts: a copy told in another task's stream is the same fact.

Owns when an id names a copy. Only the suffix of the very task in whose stream it is told is taken off:
ids that come from elsewhere may hold an `@` of their own.
"""

from __future__ import annotations

from relayna.events import Envelope
from relayna.ids import AttemptId, EventId

__all__ = ["attempt_named_by", "cause_of", "fact_id", "is_copy", "own_id_in"]


def fact_id(envelope: Envelope) -> EventId:
    """The fact's own id, whichever stream told it."""
    event_id = envelope.event_id
    return own_id_in(event_id, envelope) if "@" in event_id else event_id


def cause_of(envelope: Envelope) -> EventId | None:
    """The own id of the fact that led to this one."""
    cause = envelope.cause
    return own_id_in(cause, envelope) if cause is not None and "@" in cause else cause


def is_copy(envelope: Envelope) -> bool:
    """Whether the fact is another task's, told here as well."""
    return "@" in envelope.event_id and envelope.event_id.endswith(f"@{envelope.task_id}")


def attempt_named_by(event_id: EventId) -> AttemptId:
    """The attempt in `<attempt>.<seq>`: the id names it even when that event itself is missing."""
    return AttemptId(event_id.rpartition(".")[0])


def own_id_in(event_id: EventId, envelope: Envelope) -> EventId:
    """What the stream of the envelope's task calls by that id, without the mark of a copy told there."""
    return EventId(event_id.removesuffix(f"@{envelope.task_id}"))
