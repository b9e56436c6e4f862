"""What a fact about a child also leaves in its parent's stream. Pure.

Owns the rule, whoever records the fact and whatever consumer or program it comes from. Records
nothing itself, and remembers nothing: the recorder keeps the repeats out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from relayna.events import TERMINAL_STATUSES, ChildFinished, ChildRegistered, Envelope, Event, EventsLost
from relayna.events.vocabulary import STATUS_TYPES
from relayna.ids import EventId, MessageId, TaskId, copied_event_id, message_event_id, own_event_id
from relayna.streams.lifespan import final_status

__all__ = ["ending", "parent_of", "references", "registration"]

_SILENT_TYPES = (ChildRegistered, ChildFinished, EventsLost)


def references(
    event: Event, producer: str, terminal_statuses: Collection[str] = TERMINAL_STATUSES
) -> list[Event]:
    """The events that `event` leaves in its parent's stream: that there is this child, and its end.

    None for a task without a parent and for one that names itself; none for references themselves.
    Never raises, whatever the event holds.
    """
    parent = parent_of(event)
    if parent is None:
        return []
    end = ending(event, parent, terminal_statuses)
    registered = registration(event, parent, producer)
    return [registered] if end is None else [registered, end]


def parent_of(event: Event) -> TaskId | None:
    """The parent in whose stream the event leaves something: by its envelope, or by a status's `meta`."""
    envelope, body = event.envelope, event.body
    parent: object = envelope.parent_task_id
    if not parent:
        if not isinstance(body, STATUS_TYPES) or not isinstance(body.meta, dict):
            return None
        parent = body.meta.get("parent_task_id")
    if not isinstance(parent, str) or not parent or parent == envelope.task_id:
        return None
    return None if isinstance(body, _SILENT_TYPES) else TaskId(parent)


def registration(event: Event, parent: TaskId, producer: str) -> Event:
    """`ChildRegistered` in the parent's stream; the same id whichever of the child's events says it."""
    envelope = event.envelope
    child = str(envelope.task_id).encode(errors="surrogatepass")
    event_id = message_event_id(MessageId(hashlib.sha256(child).hexdigest()[:32]), f"registered.{producer}")
    return Event(
        envelope=_in_parent(envelope, parent, event_id, producer=producer),
        body=ChildRegistered(child_task_id=envelope.task_id),
    )


def ending(
    event: Event, parent: TaskId, terminal_statuses: Collection[str] = TERMINAL_STATUSES
) -> Event | None:
    """`ChildFinished` in the parent's stream, when this fact ends the child."""
    status = final_status(event.body, terminal_statuses)
    if status is None:
        return None
    envelope = event.envelope
    event_id = copied_event_id(own_event_id(EventId(str(envelope.event_id))), parent)
    return Event(
        envelope=_in_parent(envelope, parent, event_id, producer=envelope.producer, cause=envelope.cause),
        body=ChildFinished(child_task_id=envelope.task_id, status=status),
    )


def _in_parent(
    envelope: Envelope,
    parent: TaskId,
    event_id: EventId,
    *,
    producer: str | None,
    cause: EventId | None = None,
) -> Envelope:
    # No attempt: the child's attempt is not one of the parent's, and `seq` counts in one stream only.
    return Envelope(
        event_id=event_id,
        timestamp=envelope.timestamp,
        task_id=parent,
        cause=cause,
        session_id=envelope.session_id,
        correlation_id=envelope.correlation_id,
        producer=producer,
    )
