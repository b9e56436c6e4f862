"""A task's failed attempts: which they are, why, and what became of each.

Owns the shape, and which attempt counts as failed: the same ones that graphs show as failed or dead-lettered.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from relayna.instants import UNTIMED, Instant
from relayna.projections.attempt_nodes import attempt_state
from relayna.projections.attempts import Attempt
from relayna.projections.task_run import TaskRun

__all__ = ["FAILURES_KEPT", "FailedAttempt", "cut_words", "failures_of"]

FAILURES_KEPT: Final = 50
"""Of one task; the newest."""

_WORDS_KEPT: Final = 300


class FailedAttempt(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt that failed."""

    ref: str
    """As the graph's node has it."""
    node_id: str
    number: int
    """Of the attempt, within its task and stage."""
    at: Instant | None
    """When the handler failed, else when the attempt ended."""
    queue_name: str | None = None
    stage: str | None = None
    consumer_name: str | None = None
    exception_type: str | None = None
    exception_message: str | None = None
    """Its first 300 characters."""
    reason: str | None = None
    """Why the attempt was closed as it was."""
    outcome: str
    """What became of it, as the graph says: `retried`, `dead_lettered`, `rejected`, `running`, …"""


def failures_of(run: TaskRun) -> list[FailedAttempt]:
    """All failed attempts, oldest first."""
    return [_failure(attempt) for attempt in run.attempts.members if _has_failed(attempt)]


def cut_words(text: str | None) -> str | None:
    """The text, or its first 300 characters."""
    return text if text is None or len(text) <= _WORDS_KEPT else f"{text[: _WORDS_KEPT - 1]}…"


def _has_failed(attempt: Attempt) -> bool:
    return attempt_state(attempt) in ("failed", "dead_lettered")


def _failure(attempt: Attempt) -> FailedAttempt:
    raised = attempt.failed.event.body if attempt.failed else None
    closing = attempt.closing.event.body if attempt.closing else None
    times = (attempt.failed.time if attempt.failed else None, attempt.closed_at, attempt.begun)
    told = [body for body in (attempt.received, raised, closing) if body is not None]

    def first(name: str) -> str | None:
        found = (getattr(body, name, None) for body in told)
        return next((value for value in found if value is not None), None)

    queue_name = attempt.received.queue_name if attempt.received else None
    return FailedAttempt(
        ref=attempt.ref,
        node_id=attempt.node_id,
        number=attempt.number,
        at=next((time for time in times if time is not None and time != UNTIMED), None),
        queue_name=queue_name,
        stage=attempt.stage,
        consumer_name=first("consumer_name"),
        exception_type=cut_words(first("exception_type")),
        exception_message=cut_words(first("exception_message")),
        reason=cut_words(first("reason")),
        outcome=attempt.outcome.name,
    )
