"""What a fact says of its task as a whole: that it goes on, that it has ended, or neither. Pure.

Owns the rule by which streams of open tasks are kept longer than those of ended ones
(docs/decisions/0011-open-tasks-are-kept-longer.md). Knows nothing of how long that is.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from relayna.events import (
    TERMINAL_STATUSES,
    ConsumerRetryScheduled,
    DeadLetterReplayed,
    TaskMessageReceived,
    TaskPublished,
    WorkflowMessagePublished,
    WorkflowMessageReceived,
)
from relayna.events.vocabulary import DEAD_LETTER_TYPES, STATUS_TYPES, Body
from relayna.streams.log import Tells

__all__ = ["final_status", "tells_of"]

_OPENING_TYPES: Final = frozenset(
    {
        TaskPublished,
        TaskMessageReceived,
        ConsumerRetryScheduled,
        WorkflowMessagePublished,
        WorkflowMessageReceived,
        DeadLetterReplayed,
    }
)
"""Work of the task lies ahead. Not what an aggregation says of a child, which has ended by then, nor what
anyone else may say of a task at any time: that children exist, that a delivery came again."""

_SPEAKING_TYPES: Final = frozenset({*STATUS_TYPES, *DEAD_LETTER_TYPES})
"""What may say either."""


def tells_of(body: Body, terminal_statuses: Collection[str] = TERMINAL_STATUSES) -> Tells | None:
    """What the fact says of its task. Never raises, whatever the body holds.

    >>> from relayna.events import StatusPublished
    >>> [tells_of(StatusPublished(status=status)) for status in ("sending", "completed")]
    ['open', 'ended']
    """
    if type(body) in _OPENING_TYPES:
        return "open"
    if type(body) not in _SPEAKING_TYPES:
        return None
    if final_status(body, terminal_statuses) is not None:
        return "ended"
    return "open" if isinstance(body, STATUS_TYPES) else None


def final_status(body: Body, terminal_statuses: Collection[str] = TERMINAL_STATUSES) -> str | None:
    """The status with which this fact ends its task, if it does."""
    if isinstance(body, STATUS_TYPES):
        status: object = body.status
        return status if isinstance(status, str) and status in terminal_statuses else None
    return "dead_lettered" if isinstance(body, DEAD_LETTER_TYPES) else None
