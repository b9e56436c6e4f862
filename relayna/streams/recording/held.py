"""An event that the recorder holds until it is stored, and what kind of evidence it is.

Owns the shape, how it is made of an event, and the rule of which events may be shed when there is no
room. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec import Struct

from relayna.events import (
    EVENT_TYPES,
    TERMINAL_STATUSES,
    ChildFinished,
    ChildRegistered,
    DeadLetterRecorded,
    DeadLetterReplayClaimed,
    DeadLetterReplayed,
    DecisionRecorded,
    DeliveryRepeated,
    Envelope,
    Event,
    EventsLost,
    MessageInputRecorded,
    MessageOutputRecorded,
    OperatorActed,
    OutputRecorded,
    Redact,
    RunEdgeRecorded,
    UsageRecorded,
    encode_event,
)
from relayna.events.sanitise import sanitise_body
from relayna.events.vocabulary import CLOSING_TYPES, DEAD_LETTER_TYPES, STATUS_TYPES
from relayna.ids import AttemptId, TaskId
from relayna.streams.lifespan import tells_of
from relayna.streams.log import Tells

__all__ = ["SOURCES", "VITAL_TYPES", "HeldEvent", "hold", "hold_unreadable", "storable_task_id"]

VITAL_TYPES: Final = frozenset(
    {
        *STATUS_TYPES,
        *CLOSING_TYPES,
        DeadLetterRecorded,
        DeadLetterReplayed,
        DeadLetterReplayClaimed,
        DeliveryRepeated,
        EventsLost,
        ChildRegistered,
        ChildFinished,
        OperatorActed,
        RunEdgeRecorded,
        UsageRecorded,
        DecisionRecorded,
        MessageInputRecorded,
        MessageOutputRecorded,
        OutputRecorded,
    }
)
"""What a graph is wrong without; everything else is only poorer, and is shed first."""

_DEAD_LETTERS: Final = frozenset(
    {*DEAD_LETTER_TYPES, DeadLetterRecorded, DeadLetterReplayed, DeadLetterReplayClaimed}
)


def _source(event_type: type) -> str:
    if event_type in STATUS_TYPES:
        return "status"
    return "dead_letter" if event_type in _DEAD_LETTERS else "observation"


SOURCES: Final[dict[type, str]] = {event_type: _source(event_type) for event_type, _ in EVENT_TYPES}
"""The label `source` of the recorder's counters."""


class HeldEvent(Struct, frozen=True, gc=False):
    """One encoded event. Keeps of the event itself only what a confession of its loss must say."""

    task_id: TaskId
    topology_kind: str | None
    data: bytes
    event_type: type
    attempt_id: AttemptId | None
    seq: int | None
    tells: Tells | None = None


def hold(
    event: Event,
    topology_kind: str | None,
    redact: Redact | None,
    terminal_statuses: Collection[str] = TERMINAL_STATUSES,
) -> HeldEvent:
    """The event, encoded. Raises, as anything in Python may, when it is handed what is no event."""
    envelope, body = event.envelope, event.body
    task_id, attempt_id = envelope.task_id, envelope.attempt_id
    # Spelled out, for this is done on the caller's time and nearly every id is plain text.
    return HeldEvent(
        task_id if type(task_id) is str and task_id.isascii() else storable_task_id(task_id),
        None if topology_kind is None else _storable(topology_kind),
        encode_event(event, redact),
        type(body),
        attempt_id if isinstance(attempt_id, str) else None,
        envelope.seq,
        tells_of(body, terminal_statuses),
    )


def hold_unreadable(event: object) -> HeldEvent | None:
    """What can be said of the loss of an event that `hold` refused; nothing when it names no task."""
    envelope: object = event.envelope if isinstance(event, Event) else None
    task_id: object = envelope.task_id if isinstance(envelope, Envelope) else None
    if not isinstance(event, Event) or not isinstance(task_id, str):
        return None
    attempt_id = _text_or_none(event.envelope.attempt_id)
    return HeldEvent(storable_task_id(task_id), None, b"", type(event.body), attempt_id, event.envelope.seq)


def storable_task_id(task_id: object) -> TaskId:
    """The id as the codec stores it, which has no bytes for lone surrogates. Raises `TypeError`."""
    return TaskId(_storable(task_id))


def _storable(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{type(text).__name__} where text belongs")
    if text.isascii():
        return text
    return sanitise_body(ChildRegistered(child_task_id=TaskId(text)), thorough=True).child_task_id


def _text_or_none(value: object) -> AttemptId | None:
    return AttemptId(value) if isinstance(value, str) else None
