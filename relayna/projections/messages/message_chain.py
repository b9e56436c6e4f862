"""What is asked of rows: from whom a message came and what came of it, who failed, and how each handler does.

Owns the walks, which are linear and safe from circles, and the counts. Rows are `message_rows.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from relayna.projections.messages.message_row import MessageRow

__all__ = [
    "HandlerCount",
    "MessageChain",
    "batch_of",
    "chain_of",
    "children_of",
    "failures_of_rows",
    "handler_counts",
]


class MessageChain(Struct, frozen=True, kw_only=True):
    """A message, from whom it came and what came of it."""

    message: MessageRow
    ancestors: list[MessageRow]
    """Nearest first, to the root."""
    descendants: list[MessageRow]
    """Parents before children."""


class HandlerCount(Struct, frozen=True, kw_only=True):
    """How the messages of one route and handler stand."""

    route: str | None
    handler: str | None
    count: int = 0
    completed: int = 0
    failed: int = 0
    pending: int = 0
    cancelled: int = 0


def chain_of(rows: Sequence[MessageRow], row_id: str) -> MessageChain | None:
    """The chain of a row; None when there is none of that id."""
    by_id = {row.id: row for row in rows}
    message = by_id.get(row_id)
    if message is None:
        return None
    ancestors: list[MessageRow] = []
    seen = {row_id}
    parent = _parent(message, by_id)
    while parent is not None and parent.id not in seen:
        seen.add(parent.id)
        ancestors.append(parent)
        parent = _parent(parent, by_id)
    return MessageChain(message=message, ancestors=ancestors, descendants=_below(rows, message))


def children_of(rows: Iterable[MessageRow], row_id: str) -> list[MessageRow]:
    """The rows whose messages were published in this one, in order."""
    return [row for row in rows if row.parent_id == row_id]


def batch_of(rows: Iterable[MessageRow], batch_id: str) -> list[MessageRow]:
    """The rows of the messages that came in one batch, or were replayed as one."""
    return [row for row in rows if row.batch_id == batch_id]


def failures_of_rows(rows: Iterable[MessageRow]) -> list[MessageRow]:
    """Those that failed, newest failure first; those without a time last."""
    failed = [row for row in rows if row.status == "failed"]
    return sorted(
        failed, key=lambda row: (row.completed_at is not None, row.completed_at, row.id), reverse=True
    )


def handler_counts(rows: Iterable[MessageRow]) -> list[HandlerCount]:
    """How the messages stand, by route and handler, in the order of their names; nameless ones last."""
    counts: dict[tuple[str | None, str | None], dict[str, Any]] = {}  # Any: numbers, by field
    for row in rows:
        count = counts.setdefault((row.route, row.handler), {})
        for name in ("count", row.status):
            count[name] = count.get(name, 0) + 1
    ordered = sorted(counts, key=lambda key: [(name is None, name or "") for name in key])
    return [HandlerCount(route=key[0], handler=key[1], **counts[key]) for key in ordered]


def _parent(row: MessageRow, by_id: dict[str, MessageRow]) -> MessageRow | None:
    return None if row.parent_id is None else by_id.get(row.parent_id)


def _below(rows: Iterable[MessageRow], top: MessageRow) -> list[MessageRow]:
    children: dict[str, list[MessageRow]] = {}
    for row in rows:
        if row.parent_id is not None:
            children.setdefault(row.parent_id, []).append(row)
    found: list[MessageRow] = []
    seen = {top.id}
    waiting = [top]
    for parent in waiting:
        for child in children.get(parent.id, ()):
            if child.id not in seen:
                seen.add(child.id)
                found.append(child)
                waiting.append(child)
    return found
