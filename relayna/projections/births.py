"""Births: the one edge by which each attempt came to be.

Owns the rules, in their order: what the recorded cause says; else, for records without ids, the retry it
counts, the manual retry before it, the replay before it, where its message hung before; else the task.
"""

from __future__ import annotations

import bisect
from typing import Final

from msgspec import Struct

from relayna.events.vocabulary import CLOSING_TYPES
from relayna.ids import EventId, own_event_id
from relayna.projections.attempts import Attempt, lane_of
from relayna.projections.attribution import OBSERVED, Evidence, attribute
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.graph import EdgeKind
from relayna.projections.ordering import OrderKey
from relayna.projections.task_run import Retry, TaskRun

__all__ = ["Birth", "Births"]

_MANUAL_STATUS: Final = "manual_retrying"


class Birth(Struct, frozen=True, gc=False):
    """From where an attempt came; `source` None is the task itself, or its message."""

    source: str | None
    kind: EdgeKind
    evidence: Evidence
    rule: str | None = None


class Births:
    """Finds the birth of each attempt of a run. Nodes must have their ids."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._retries_by_event = {retry.placed.own_id: retry for retry in run.retries}
        self._letters_by_event: dict[EventId, DeadLetter] = {}
        for letter in run.letters:
            for placed in (letter.placed, *letter.others, *letter.replays):
                self._letters_by_event[placed.own_id] = letter
        self._retries_by_number = self._index_retries()
        self._letter_keys = [letter.placed.key for letter in run.letters]
        self._manual = self._index_manual_statuses()
        self._born: dict[str, Birth] = {}
        self._born_of_message: dict[tuple[str, int, int, str], Birth] = {}

    def all(self) -> dict[str, Birth]:
        """The birth of every attempt, by the attempt's ref."""
        previous: Attempt | None = None
        for attempt in self._run.attempts.members:
            birth = self._of(attempt, previous)
            self._born[attempt.ref] = birth
            delivery = _delivery(attempt)
            if delivery is not None:
                self._born_of_message.setdefault(delivery, birth)
            previous = attempt
        return self._born

    def _of(self, attempt: Attempt, previous: Attempt | None) -> Birth:
        recorded = self._by_cause(attempt)
        if recorded is not None:
            return recorded
        delivery = _delivery(attempt)
        return (
            self._by_retry_number(attempt)
            or self._by_replay_count(attempt)
            or (self._born_of_message.get(delivery) if delivery else None)
            or self._by_manual_status(attempt, previous)
            or self._of_the_task(attempt)
        )

    def _by_cause(self, attempt: Attempt) -> Birth | None:
        cause = attempt.opened.event.envelope.cause if attempt.opened else None
        if cause is None:
            return None
        cause = own_event_id(cause)
        retry = self._retries_by_event.get(cause)
        if retry is not None:
            return Birth(retry.node_id, "received_by", OBSERVED)
        letter = self._letters_by_event.get(cause)
        if letter is not None:
            return Birth(letter.node_id, "replayed_as", OBSERVED)
        causing = self._run.placed.get(cause)
        if causing is None:
            return None
        if isinstance(causing.event.body, CLOSING_TYPES):
            earlier = attribute(self._run.attempts, causing).attempt
            if earlier is not None and earlier is not attempt:
                return Birth(earlier.node_id, "manual_retry_to", OBSERVED)
        return Birth(None, "received_by", OBSERVED)

    def _by_retry_number(self, attempt: Attempt) -> Birth | None:
        received = attempt.received()
        if received is None or not received.retry_attempt:
            return None
        for number in (received.retry_attempt, None):
            keys, retries = self._retries_by_number.get((attempt.lane, number), ([], []))
            position = bisect.bisect_left(keys, attempt.key)
            if position:
                return Birth(retries[position - 1].node_id, "received_by", "inferred", "retry_attempt")
        return None

    def _by_replay_count(self, attempt: Attempt) -> Birth | None:
        received = attempt.received()
        if received is None or not received.replay_count:
            return None
        position = bisect.bisect_left(self._letter_keys, attempt.key)
        if not position:
            return None
        return Birth(self._run.letters[position - 1].node_id, "replayed_as", "inferred", "replay_count")

    def _by_manual_status(self, attempt: Attempt, previous: Attempt | None) -> Birth | None:
        if previous is None or (attempt.observed and attempt.opened and attempt.opened.event.envelope.cause):
            return None
        position = bisect.bisect_right(self._manual, attempt.key[0])
        if position and self._manual[position - 1] >= previous.key[0]:
            return Birth(previous.node_id, "manual_retry_to", "inferred", _MANUAL_STATUS)
        return None

    def _of_the_task(self, attempt: Attempt) -> Birth:
        if attempt.observed:
            return Birth(None, "received_by", OBSERVED)
        return Birth(None, "received_by", "inferred", "no_other_origin")

    def _index_retries(self) -> dict[tuple[str, int | None], tuple[list[OrderKey], list[Retry]]]:
        index: dict[tuple[str, int | None], tuple[list[OrderKey], list[Retry]]] = {}
        for retry in self._run.retries:
            lane = retry.by.attempt.lane if retry.by.attempt else lane_of(retry.body)
            keys, retries = index.setdefault((lane, retry.body.retry_attempt), ([], []))
            keys.append(retry.placed.key)
            retries.append(retry)
        return index

    def _index_manual_statuses(self) -> list[int]:
        return [status.placed.key[0] for status in self._run.statuses if status.text == _MANUAL_STATUS]


def _delivery(attempt: Attempt) -> tuple[str, int, int, str] | None:
    """What a delivery has in common with its redelivered copies."""
    received = attempt.received()
    if received is None or received.message_id is None:
        return None
    return (received.message_id, received.retry_attempt, received.replay_count, attempt.lane)
