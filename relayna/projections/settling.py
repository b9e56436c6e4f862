"""How each attempt ended: by its own closing event, by a dead letter, or because others came after it.

Owns what only a task's whole history can tell of an attempt's end. `outcomes.py` reads the closing events.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayna.events import TaskPublished
from relayna.instants import UNTIMED
from relayna.projections.attempts import Attempt, DeliveryIdentity, Line
from relayna.projections.attribution import OBSERVED, Attribution
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.fact_ids import attempt_named_by, cause_of
from relayna.projections.outcomes import (
    ABANDONED,
    DEAD_LETTERED,
    MANUAL_RETRY,
    UNKNOWN,
    outcome_by,
    outcome_named,
    outcome_of,
)
from relayna.projections.task_run import TaskRun

__all__ = ["attribute_letters", "settle_attempts"]

_OPEN: Final = frozenset({"running", "abandoned", "unknown"})


def attribute_letters(run: TaskRun) -> None:
    """Find the attempt that each dead letter ended. Letters have their numbers."""
    if not run.letters:
        return
    finder = _LetterFinder(run)
    for letter in run.letters:
        letter.by = finder.find(letter)


class _LetterFinder:
    """What a letter's records say of the attempt: its id, the cause and id of its message, its time."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._by_cause: dict[str, list[Attempt]] = {}
        self._by_message: dict[str, Line] = {}
        self._messages: set[str | None] = set()
        self._indexed = False

    def _index(self) -> None:
        """For letters that name no attempt; ours do."""
        self._indexed = True
        run = self._run
        bodies = (placed.event.body for placed in run.ordered)
        self._messages |= {body.message_id for body in bodies if isinstance(body, TaskPublished)}
        self._messages |= run.messages.keys()
        for attempt in run.attempts.members:
            if attempt.cause is not None:
                self._by_cause.setdefault(attempt.cause, []).append(attempt)
            received = attempt.received
            if received is not None and received.message_id is not None:
                self._by_message.setdefault(received.message_id, Line()).append(attempt)

    def find(self, letter: DeadLetter) -> Attribution:
        attempts = self._run.attempts
        for placed in letter.records():
            named = attempts.with_id(placed.event.envelope.attempt_id)
            if named is not None:
                return Attribution(named, OBSERVED)
        if not self._indexed:
            self._index()
        found = (self._of_copy(cause_of(placed.event.envelope)) for placed in letter.records())
        return next((by for by in found if by), None) or self._of_message(letter)

    def _of_copy(self, cause: str | None) -> Attribution | None:
        """By the cause of the message: a letter of the broker's carries that of the copy it gave up."""
        if cause is None:
            return None
        carried = self._by_cause.get(cause, [])
        if len(carried) == 1:
            return Attribution(carried[0], OBSERVED)
        if carried or cause in self._run.placed:
            return None
        lost = self._run.attempts.by_ref.get(attempt_named_by(cause))  # type: ignore[arg-type]
        return Attribution(lost, OBSERVED) if lost is not None and lost.closing is None else None

    def _of_message(self, letter: DeadLetter) -> Attribution:
        message_id = letter.known("message_id")
        of_message = self._by_message.get(message_id)
        newest = of_message.newest(letter.placed.key[0]) if of_message else None
        if newest is not None:
            return Attribution(newest, "inferred", "newest_attempt_of_the_message")
        if message_id is not None and (of_message or message_id in self._messages):
            return Attribution(None, "inferred", "no_attempt_of_the_message_by_then")
        return self._run.attribute(letter.placed)


def settle_attempts(run: TaskRun) -> None:
    """Say how each attempt ended. Letters are attributed, births are known."""
    _mark_redelivered(run)
    unclosed = [attempt for attempt in run.attempts.members if not _close(attempt)]
    if unclosed:
        newest = _newest_by_message(run.attempts.members)
        done = {attempt.identity for attempt in run.attempts.members if _is_done(attempt)}
        for attempt in unclosed:
            _settle(attempt, newest, done)
    for letter in run.letters:
        ended = letter.by.attempt
        if ended is not None and ended.closing is None:
            ended.outcome = DEAD_LETTERED
            ended.closed_at = None if letter.placed.time == UNTIMED else letter.placed.time
    _settle_manual_retries(run)


def _close(attempt: Attempt) -> bool:
    """Whether its own closing events say how it ended."""
    if attempt.closing is None:
        return False
    if attempt.closings_before:
        told = outcome_of([placed.event.body for placed in attempt.closings])
        attempt.outcome = UNKNOWN if told is None else told
        times = [placed.time for placed in attempt.closings if placed.time != UNTIMED]
        attempt.closed_at = max(times, default=None)
    else:
        attempt.outcome = outcome_by(attempt.closing.event.body)
        attempt.closed_at = None if attempt.closing.time == UNTIMED else attempt.closing.time
    return True


def _mark_redelivered(run: TaskRun) -> None:
    for attempt in run.attempts.members:
        if attempt.received is not None and attempt.received.redelivered:
            break
    else:
        return
    earlier: dict[tuple[object, ...], Attempt] = {}
    for attempt in run.attempts.members:
        received = attempt.received
        if received is not None:
            subject = received.message_id or received.queue_name
            delivery = (subject, attempt.lane, received.retry_attempt, received.replay_count)
            if received.redelivered and delivery in earlier:
                earlier[delivery].redelivered_after = True
            earlier[delivery] = attempt


def _newest_by_message(attempts: Iterable[Attempt]) -> dict[str, Attempt]:
    newest: dict[str, Attempt] = {}
    for attempt in attempts:
        received = attempt.received
        if received is not None and received.message_id is not None:
            newest[received.message_id] = attempt
    return newest


def _is_done(attempt: Attempt) -> bool:
    """Closed other than by giving its delivery back: nobody handles that delivery after this."""
    return attempt.closing is not None and attempt.outcome.name != "released"


def _settle(attempt: Attempt, newest: dict[str, Attempt], done: set[DeliveryIdentity | None]) -> None:
    """What was confessed, else abandoned when the message was handled again."""
    confessed = [lost.outcome for lost in attempt.losses if lost.outcome is not None]
    received = attempt.received
    if confessed:
        attempt.outcome = outcome_named(min(confessed))
    elif received is None:
        attempt.outcome = UNKNOWN
    elif attempt.redelivered_after or (
        received.message_id is not None
        and (newest[received.message_id] is not attempt or attempt.identity in done)
    ):
        attempt.outcome = ABANDONED


def _settle_manual_retries(run: TaskRun) -> None:
    """In foreign records the status alone tells of a manual retry."""
    sources = {birth.source for birth in run.births.values() if birth.kind == "manual_retry_to"}
    for attempt in run.attempts.members if sources else ():
        if attempt.node_id in sources and (attempt.outcome.name == "acked" or attempt.outcome.name in _OPEN):
            attempt.outcome = MANUAL_RETRY
