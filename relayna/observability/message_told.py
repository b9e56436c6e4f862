"""What is asked and said of messages outside: shapes of JSON, and how rows become them.

Owns that times are told as text. HTTP, the command line and Python say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field

from relayna.instants import Instant, format_instant
from relayna.projections.messages.message_chain import HandlerCount, MessageChain
from relayna.projections.messages.message_row import MessageError, MessageRow, MessageStatus

__all__ = [
    "DEFAULT_MESSAGES", "MESSAGE_SORTS", "MOST_MESSAGES", "ChainTold", "MessageAnswer", "MessageSort",
    "MessageStatistics", "MessageTold", "MessagesFound", "MessagesListed", "MessagesWanted", "chain_told", "message_told",
    "messages_told",
]  # fmt: skip

DEFAULT_MESSAGES: Final = 100
MOST_MESSAGES: Final = 1_000

MessageSort: TypeAlias = Literal["started_at", "completed_at"]
MESSAGE_SORTS: Final[tuple[MessageSort, ...]] = ("started_at", "completed_at")


class MessagesWanted(Struct, frozen=True, kw_only=True):
    """Messages, by what they have in common. None asks for all."""

    session: str | None = None
    """Without one, messages of the tasks that started last."""
    route: str | None = None
    """The stage or queue."""
    status: str | None = None
    handler: str | None = None
    """Its own name, or its consumer's."""
    is_root: bool | None = None
    """Whether it was published from outside."""
    started_after: Instant | None = None
    """Then or later."""
    started_before: Instant | None = None
    sort: str = MESSAGE_SORTS[0]
    newest_first: bool = True
    limit: int = DEFAULT_MESSAGES
    cursor: str | None = None


class MessageTold(Struct, frozen=True, kw_only=True):
    """One message handled at one place; its retries, repeats and replays are the same."""

    id: str
    session_id: str
    task_id: str
    route: str | None
    """The stage or queue; null for one that waits in a queue nobody has named yet."""
    handler: str | None
    parent_id: str | None
    """The message in whose handling it was published; null from outside."""
    status: MessageStatus
    attempts: int
    input_hash: str | None
    """SHA-256 of the payload as canonical JSON."""
    output_hash: str | None
    error: MessageError | None
    started_at: str | None
    completed_at: str | None
    batch_id: str | None
    pending_children: int
    done: bool
    """Completed, and no child pending."""
    subtree_done: bool
    """Done, and so is all that came of it."""
    metadata: dict[str, Any]  # Any: JSON values


class MessageAnswer(Struct, frozen=True, kw_only=True):
    """One message."""

    message: MessageTold
    missing: list[str] = field(default_factory=list)
    """Why some histories are not whole: `trimmed`, `expired`, `limit_reached`, `reported_loss`, `older_tasks`, or why a
    record cannot be read, as `corrupt` and `unknown_type`."""


class MessagesListed(Struct, frozen=True, kw_only=True):
    """Some of the messages asked for."""

    messages: list[MessageTold]
    total: int
    """How many there are on all pages."""
    next: str | None
    """The cursor with which the list goes on; null at the end."""
    missing: list[str] = field(default_factory=list)


class MessagesFound(Struct, frozen=True, kw_only=True):
    """All of them."""

    messages: list[MessageTold]
    missing: list[str] = field(default_factory=list)


class ChainTold(Struct, frozen=True, kw_only=True):
    """A message, from whom it came and what came of it."""

    message: MessageTold
    ancestors: list[MessageTold]
    """Nearest first, to the root."""
    descendants: list[MessageTold]
    """Parents before children."""
    missing: list[str] = field(default_factory=list)


class MessageStatistics(Struct, frozen=True, kw_only=True):
    """How messages stand, by route and handler."""

    handlers: list[HandlerCount]
    missing: list[str] = field(default_factory=list)


def message_told(row: MessageRow) -> MessageTold:
    """The row, with times as text."""
    fields = {name: getattr(row, name) for name in MessageTold.__struct_fields__}
    return MessageTold(
        **{**fields, "started_at": _time(row.started_at), "completed_at": _time(row.completed_at)}
    )


def messages_told(rows: Iterable[MessageRow]) -> list[MessageTold]:
    """The rows, with times as text."""
    return [message_told(row) for row in rows]


def chain_told(chain: MessageChain, missing: list[str]) -> ChainTold:
    """The chain, with times as text."""
    return ChainTold(
        message=message_told(chain.message),
        ancestors=messages_told(chain.ancestors),
        descendants=messages_told(chain.descendants),
        missing=missing,
    )


def _time(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)
