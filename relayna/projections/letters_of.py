"""A task's dead letters in short: when, why, from where, and whether they were sent again.

Owns the shape. A letter's headers and body stay in the stream.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from relayna.instants import UNTIMED, Instant
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.failures_of import cut_words
from relayna.projections.task_run import TaskRun

__all__ = ["LETTERS_KEPT", "LetterSummary", "letters_of"]

LETTERS_KEPT: Final = 50
"""Of one task; the newest."""


class LetterSummary(Struct, frozen=True, kw_only=True, gc=False):
    """One dead letter."""

    ref: str
    """As the graph's node has it."""
    node_id: str
    dead_letter_id: str | None
    """None while only its publishing is known, and none of its content: then it cannot be replayed."""
    at: Instant | None
    reason: str | None = None
    queue_name: str | None = None
    """The dead-letter queue."""
    source_queue_name: str | None = None
    stage: str | None = None
    exception_type: str | None = None
    exception_message: str | None = None
    """Its first 300 characters."""
    retry_attempt: int | None = None
    replay_count: int = 0
    replayed: bool = False
    """Whether the graph shows it as replayed."""


def letters_of(run: TaskRun) -> list[LetterSummary]:
    """All dead letters, oldest first."""
    replayed = {birth.source for birth in run.births.values() if birth.kind == "replayed_as"}
    return [
        _letter(letter, replayed=bool(letter.replays) or letter.node_id in replayed) for letter in run.letters
    ]


def _letter(letter: DeadLetter, *, replayed: bool) -> LetterSummary:
    return LetterSummary(
        ref=letter.placed.own_id,
        node_id=letter.node_id,
        dead_letter_id=letter.content.dead_letter_id if letter.content else None,
        at=None if letter.placed.time == UNTIMED else letter.placed.time,
        reason=cut_words(letter.known("reason")),
        queue_name=letter.known("queue_name"),
        source_queue_name=letter.known("source_queue_name"),
        stage=letter.known("stage"),
        exception_type=cut_words(letter.known("exception_type")),
        exception_message=cut_words(letter.known("exception_message")),
        retry_attempt=letter.known("retry_attempt"),
        replay_count=len(letter.replays),
        replayed=replayed,
    )
