"""What the records of a task say of one dead letter: its message's attempts, its replays so far, and the claims to one.

Owns who belongs to the letter's message, and what became of each of its copies. Judges nothing:
`replay_plan.py` does. Pure; never raises on data.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from relayna.events import (
    DeadLetterRecorded,
    DeadLetterReplayed,
    Envelope,
    EventsLost,
    RecordedEvent,
    TaskMessageRejected,
)
from relayna.events.vocabulary import (
    CLOSING_TYPES,
    DEAD_LETTER_TYPES,
    RECEIVED_TYPES,
    RETRY_TYPES,
)
from relayna.ids import AttemptId, EventId, MessageId, replay_event_id
from relayna.instants import Instant
from relayna.projections.fact_ids import cause_of, is_copy
from relayna.projections.replay_claims import ReplayClaim, claim_of

__all__ = ["LARGEST_COUNT", "Fate", "ReplayHistory", "find_letter", "read_replay_history"]

LARGEST_COUNT: Final = 2**31 - 1
"""What the header that carries a replay count can say."""

_DEAD: Final = frozenset(event_type.__name__ for event_type in DEAD_LETTER_TYPES)
_GO_ON: Final = frozenset(event_type.__name__ for event_type in RETRY_TYPES) | {TaskMessageRejected.__name__}
"""A lost closing event of these types does not say that its message is done."""


class Fate(enum.Enum):
    """What became of one copy of a message, its retries included."""

    WAITING = "waiting"
    """No attempt at it is known."""
    UNDER_WAY = "under_way"
    """Attempts are known, and none that ended it."""
    HANDLED = "handled"
    """It was handled to its end."""
    DEAD = "dead"
    """It was given up."""


class _Copy(Struct, gc=False):
    """An attempt, by what its delivery said."""

    replay_count: int
    cause: EventId | None
    begun: Instant


class ReplayHistory(Struct, kw_only=True):
    """All that bears on the replay of one dead letter."""

    envelope: Envelope
    """Of the record of the letter."""
    letter: DeadLetterRecorded
    message_id: MessageId
    """The logical message; a message without an id is called after its letter."""
    counts: set[int] = field(default_factory=set)
    """The counts of this letter's replays that are recorded."""
    taken: set[int] = field(default_factory=set)
    """Replay counts by which copies of the message are known already."""
    letters: list[DeadLetterRecorded] = field(default_factory=list)
    """Dead letters of the same message from the same place, this one included, in the log's order."""
    replays: int = 0
    """How often the message was replayed, by any of them."""
    copies: dict[AttemptId, _Copy] = field(default_factory=dict)
    claims: list[ReplayClaim] = field(default_factory=list)
    """To replays of these letters, in the log's order."""
    ends: dict[AttemptId, Fate] = field(default_factory=dict)
    """How attempts ended that ended their message; a retry or a release does not."""

    def published_by(self, count: int) -> Instant | None:
        """When the first attempt began that names this letter's replay of that count as its cause."""
        cause = replay_event_id(self.letter.dead_letter_id, count)
        return min((copy.begun for copy in self.copies.values() if copy.cause == cause), default=None)

    def fate(self, count: int) -> Fate:
        """What became of the copy with that replay count."""
        attempts = [attempt_id for attempt_id, copy in self.copies.items() if copy.replay_count == count]
        ends = {self.ends[attempt_id] for attempt_id in attempts if attempt_id in self.ends}
        for end in (Fate.HANDLED, Fate.DEAD):
            if end in ends:
                return end
        return Fate.UNDER_WAY if attempts else Fate.WAITING


def find_letter(
    events: Iterable[RecordedEvent], dead_letter_id: str
) -> tuple[Envelope, DeadLetterRecorded] | None:
    """The first record of the letter with that id."""
    for event in events:
        body = event.body
        if isinstance(body, DeadLetterRecorded) and body.dead_letter_id == dead_letter_id:
            return event.envelope, body
    return None


def read_replay_history(events: Iterable[RecordedEvent], dead_letter_id: str) -> ReplayHistory | None:
    """What the records of the letter's task, in the log's order, say of it; none without such a letter."""
    events = list(events)
    found = find_letter(events, dead_letter_id)
    if found is None:
        return None
    history = ReplayHistory(envelope=found[0], letter=found[1], message_id=_message_of(found[1]))
    marks: set[tuple[str, int]] = set()
    letters: dict[str, DeadLetterRecorded] = {}
    for event in events:
        if is_copy(event.envelope):
            continue  # it is told here of another task
        body = event.body
        if isinstance(body, DeadLetterRecorded):
            if _is_of(history, _message_of(body), body.source_queue_name):
                letters.setdefault(body.dead_letter_id, body)
        elif isinstance(body, DeadLetterReplayed):
            if body.dead_letter_id == dead_letter_id or body.message_id == history.message_id:
                marks.add((body.dead_letter_id, body.replay_count))
        else:
            _take_attempt(history, event)
    history.letters = list(letters.values())
    # Of the same message in another queue, a replay is another matter.
    history.claims = [claim for claim in map(claim_of, events) if claim and claim.dead_letter_id in letters]
    history.replays = len(marks)
    history.counts = {count for letter_id, count in marks if letter_id == dead_letter_id}
    history.taken = {count for _, count in marks if 0 < count < LARGEST_COUNT}
    for copy in history.copies.values():
        # Its own replay that was never marked is to be repeated under the same count.
        own = replay_event_id(dead_letter_id, copy.replay_count)
        if copy.cause != own and 0 < copy.replay_count < LARGEST_COUNT:
            history.taken.add(copy.replay_count)
    return history


def _take_attempt(history: ReplayHistory, event: RecordedEvent) -> None:
    attempt_id, body = event.envelope.attempt_id, event.body
    if attempt_id is None:
        return
    if isinstance(body, RECEIVED_TYPES):
        if _is_of(history, body.message_id, body.queue_name):
            history.copies[attempt_id] = _Copy(
                body.replay_count, cause_of(event.envelope), event.envelope.timestamp
            )
    elif isinstance(body, CLOSING_TYPES):
        released = isinstance(body, TaskMessageRejected) and body.requeue
        if not released and not isinstance(body, RETRY_TYPES):
            dead = isinstance(body, DEAD_LETTER_TYPES)
            history.ends[attempt_id] = Fate.DEAD if dead else Fate.HANDLED
    elif isinstance(body, EventsLost) and body.outcome is not None and body.outcome not in _GO_ON:
        history.ends.setdefault(attempt_id, Fate.DEAD if body.outcome in _DEAD else Fate.HANDLED)


def _message_of(letter: DeadLetterRecorded) -> MessageId:
    return letter.message_id or MessageId(letter.dead_letter_id)


def _is_of(history: ReplayHistory, message_id: MessageId | None, queue_name: str | None) -> bool:
    """Whether it is the letter's message, where the letter's was: the same message may go to several queues."""
    place = history.letter.source_queue_name
    return message_id == history.message_id and (place is None or queue_name is None or queue_name == place)
