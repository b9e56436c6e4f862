"""How a message stands: pending until it is done with for good, and then completed, failed or cancelled.

Owns that verdict, and why it failed. A retry, a repeat and a delivery that went back are no ends.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from msgspec import Struct

from relayna.events import ChildFinished
from relayna.events.history import StreamFact
from relayna.instants import UNTIMED, Instant
from relayna.projections.attempts import Attempt
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.messages.handlings import Handling, TaskHandlings
from relayna.projections.messages.message_row import MessageError, MessageStatus
from relayna.projections.task_run import TaskRun

__all__ = ["HandlingEnd", "is_whole", "standing_of"]

_ENDS: Final[dict[str, MessageStatus]] = {
    "acked": "completed",
    "manual_retry": "completed",
    "dead_lettered": "failed",
    "rejected": "failed",
}
_CANCELLED: Final = "cancelled"
_INCOMPLETE: Final = frozenset({"trimmed", "limit_reached"})


class HandlingEnd(Struct, frozen=True, kw_only=True, gc=False):
    """How one handling stands."""

    status: MessageStatus
    at: Instant | None = None
    """When it came to that end; none while it is pending."""
    ended_once: bool = False
    """It came to an end before, though it may have been replayed since."""
    error: MessageError | None = None


def standing_of(handling: Handling, task: TaskHandlings | None) -> HandlingEnd:
    """How it stands; `task` is its own, when that was read."""
    run = None if task is None else task.run
    ends = _ends(handling)
    last = handling.attempts[-1] if handling.attempts else None
    ended = None if last is None else ends.get(_delivery(last))
    letter = handling.letter
    if ended is None and letter is not None and (last is None or letter.placed.key > last.key):
        return HandlingEnd(
            status="failed", at=_timed(letter.placed.time), ended_once=True, error=_given_up(letter)
        )
    if ended is not None and _ENDS[ended.outcome.name] == "failed":
        return HandlingEnd(status="failed", at=ended.closed_at, ended_once=True, error=_error(ended, task))
    cancelled_at = _cancelled(run, ended)
    if cancelled_at is not None:
        closed_at = None if ended is None else ended.closed_at
        return HandlingEnd(status="cancelled", at=closed_at or _timed(cancelled_at), ended_once=True)
    if ended is not None:
        return HandlingEnd(status="completed", at=ended.closed_at, ended_once=True)
    if not handling.attempts and handling.finished is not None:
        return _told_by_parent(handling)
    return HandlingEnd(status="pending", ended_once=bool(ends))


def is_whole(handling: Handling, facts: Collection[StreamFact]) -> bool:
    """Whether all that its attempts told up to their ends is here; only then is it known whom they asked for what."""
    if any(fact.name in _INCOMPLETE for fact in facts):
        return False
    return bool(handling.attempts) and all(
        not attempt.losses and len(set(attempt.seqs)) == max(attempt.seqs, default=-1) + 1
        for attempt in handling.attempts
    )


def _ends(handling: Handling) -> dict[object, Attempt]:
    """By delivery, the attempt that was its end: a copy that another worker gave back does not undo it."""
    found: dict[object, Attempt] = {}
    for attempt in handling.attempts:
        if attempt.outcome.name in _ENDS:
            found.setdefault(_delivery(attempt), attempt)
    return found


def _delivery(attempt: Attempt) -> object:
    return attempt.identity or attempt.ref


def _cancelled(run: TaskRun | None, ended: Attempt | None) -> Instant | None:
    """When its task was cancelled, if that was before this came to an end."""
    if run is None or not run.statuses or run.statuses[-1].text != _CANCELLED:
        return None
    status = run.statuses[-1].placed
    over_before = ended is not None and ended.closing and ended.closing.key < status.key
    return None if over_before else status.time


def _told_by_parent(handling: Handling) -> HandlingEnd:
    """Its own history is gone, or was not read."""
    finished = handling.finished
    told = finished.event.body.status if finished and isinstance(finished.event.body, ChildFinished) else None
    status: MessageStatus = "failed"
    if told in ("completed", _CANCELLED):
        status = "completed" if told == "completed" else "cancelled"
    at = None if finished is None else _timed(finished.time)
    return HandlingEnd(status=status, at=at, ended_once=True)


def _error(ended: Attempt, task: TaskHandlings | None) -> MessageError:
    """What its last attempt raised; of one that was not run, why it was given up."""
    if ended.failed is not None:
        body: Any = ended.failed.event.body  # Any: one of FAILED_TYPES
        return MessageError(
            exception_class=body.exception_type, message=body.exception_message, traceback=body.traceback
        )
    letter = None if task is None else task.letters.get(ended.ref)
    if letter is not None:
        return _given_up(letter)
    closing: Any = ended.closing.event.body if ended.closing else None  # Any: by name
    return MessageError(exception_class=getattr(closing, "reason", None))


def _given_up(letter: DeadLetter) -> MessageError:
    told = letter.known("exception_type") or letter.known("reason")
    return MessageError(exception_class=told, message=letter.known("exception_message"))


def _timed(time: Instant) -> Instant | None:
    return None if time == UNTIMED else time
