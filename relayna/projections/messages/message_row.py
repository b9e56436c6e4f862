"""One message at one place, as people look it up. Owns the shapes."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field

from relayna.instants import Instant

__all__ = ["MESSAGE_STATUSES", "MessageError", "MessageRow", "MessageRows", "MessageStatus"]

MessageStatus: TypeAlias = Literal["pending", "completed", "failed", "cancelled"]

MESSAGE_STATUSES: Final[tuple[MessageStatus, ...]] = ("pending", "completed", "failed", "cancelled")


class MessageError(Struct, frozen=True, kw_only=True, gc=False):
    """Why a message failed: what its last attempt raised, else why it was given up."""

    exception_class: str | None = field(name="class", default=None)
    message: str | None = None
    traceback: str | None = None


class MessageRow(Struct, frozen=True, kw_only=True, gc=False):
    """One message handled at one place: its retries, repeats and replays are in this row."""

    id: str
    """The message's own; with the place behind it where it was handled at another place before."""
    session_id: str
    task_id: str
    route: str | None
    """The stage or queue; none for a message that waits in a queue nobody has named yet."""
    handler: str | None
    """The handler's own name where that was recorded, else the consumer's."""
    parent_id: str | None
    """The row in which it was published; none from outside."""
    status: MessageStatus
    attempts: int
    input_hash: str | None = None
    output_hash: str | None = None
    error: MessageError | None = None
    started_at: Instant | None = None
    completed_at: Instant | None = None
    batch_id: str | None = None
    pending_children: int = 0
    """Of the messages that it registered, those that have reached no end yet; each ends once."""
    done: bool = False
    """Completed, and no child pending. Never said where something it told may be missing."""
    subtree_done: bool = False
    """Done, and so is all that came of it: completed, failed or cancelled."""
    metadata: dict[str, Any] = field(default_factory=dict)  # Any: JSON values


class MessageRows(Struct, frozen=True, kw_only=True):
    """All rows of a history, in the order in which they began."""

    rows: list[MessageRow]
