"""Statuses that handlers and other programs publish. Owns the shape, and which statuses end a task."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from relayna.ids import MessageId

__all__ = ["FAILED_STATUSES", "TERMINAL_STATUSES", "StatusPublished"]

TERMINAL_STATUSES = frozenset({"completed", "failed", "dead_lettered", "cancelled"})
"""A task with one of these is over, until a later event reopens it. A topology may add its own."""

FAILED_STATUSES = frozenset({"failed", "dead_lettered", "cancelled"})
"""Those of them that say that its work was not done."""


class StatusPublished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A status of the task. Fields are append-only."""

    status: str
    message: str | None = None
    meta: dict[str, Any] | None = None  # Any: the user's own JSON object
    message_id: MessageId | None = None
    stage: str | None = None
    retry_attempt: int | None = None
