"""What every fact has in common, before (`Event`) and after (`RecordedEvent`) it is stored.

Owns the shape of the envelope. Bodies live beside it, one family a file.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.events.vocabulary import Body
from relayna.ids import AttemptId, EventId, SessionId, StreamId, TaskId
from relayna.instants import Instant

__all__ = ["Envelope", "Event", "RecordedEvent"]


class Envelope(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """Whose fact it is, when it was, and what caused it. Append-only: new fields go last, with a default."""

    event_id: EventId
    """See `relayna.ids` for the shapes."""
    timestamp: Instant
    """When it happened, by the clock of the process that says so: microseconds, UTC."""
    task_id: TaskId
    """The task in whose stream it is told."""
    attempt_id: AttemptId | None = None
    """The attempt that it belongs to; none for facts outside any attempt."""
    seq: int | None = None
    """0, 1, 2… within the attempt, in its own task's stream; none for copies and for facts about attempts."""
    cause: EventId | None = None
    """The event that led to it."""
    parent_task_id: TaskId | None = None
    """The task that asked for this one."""
    session_id: SessionId | None = None
    """The workflow execution that it belongs to."""
    correlation_id: str | None = None
    """The user's own thread through systems."""
    producer: str | None = None
    """The process that said it."""


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """A fact as said: it has no place in a stream yet."""

    envelope: Envelope
    body: Body


class RecordedEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A fact as stored: it has a place, and remembers when it was first offered to the log."""

    envelope: Envelope
    body: Body
    version: int = 1
    """The version of the body's type that was stored (it is decoded as the current one)."""
    stream_id: StreamId = StreamId("0-0")
    """The stream entry that carries it; `0-0` for plain records, which have no place."""
    index: int = 0
    """Its place in the entry's frame."""
    first_append_ms: int | None = None
    """When its frame was first offered to the log, in milliseconds; kept by re-appends and imports."""
