"""Births: the one edge by which each attempt came to be.

Owns the rules, in their order: what the recorded cause says; else, for records without ids, the retry or the
replay that the delivery counts, where its message hung when it was handed out before, what lies between it
and the attempt before (a retry, a replay, a manual retry); else the task.
"""

from __future__ import annotations

import bisect
from typing import Final

from relayna.events import AggregationMessageAcked, TaskMessageAcked, WorkflowStageAcked
from relayna.ids import EventId
from relayna.projections.attempts import AGGREGATION, Attempt, DeliveryIdentity, lane_of
from relayna.projections.attribution import OBSERVED
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.ordering import OrderKey
from relayna.projections.retries import Retry
from relayna.projections.task_run import Birth, TaskRun

__all__ = ["MANUAL_STATUS", "find_births"]

MANUAL_STATUS: Final = "manual_retrying"
_ACKS: Final = (TaskMessageAcked, WorkflowStageAcked, AggregationMessageAcked)


def find_births(run: TaskRun) -> None:
    """Find the birth of every attempt of the run. Nodes must have their ids."""
    rules = _Rules(run)
    previous: dict[str, Attempt] = {}
    for attempt in run.attempts.members:
        if attempt.cause is not None:
            attempt.caused_by = run.placed.get(attempt.cause)
        run.births[attempt.ref] = rules.birth(attempt, previous.get(attempt.lane))
        previous[attempt.lane] = attempt


_FROM_ITS_MESSAGE: Final = Birth(None, "received_by", OBSERVED)
_CAUSE_MISSING: Final = Birth(None, "received_by", "inferred", "cause_missing")
_NO_OTHER_ORIGIN: Final = Birth(None, "received_by", "inferred", "no_other_origin")


class _Timeline:
    """What may lead to an attempt, in order, each with the birth that it would be."""

    def __init__(self) -> None:
        self._keys: list[OrderKey] = []
        self._births: list[Birth] = []

    def append(self, key: OrderKey, birth: Birth) -> None:
        self._keys.append(key)
        self._births.append(birth)

    def last_before(self, key: OrderKey) -> tuple[OrderKey, Birth] | None:
        position = bisect.bisect_left(self._keys, key)
        return (self._keys[position - 1], self._births[position - 1]) if position else None


class _Rules:
    """The rules, and what they look things up in."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self._retries_by_event: dict[EventId, Retry] = {}
        self._retries_by_number: dict[tuple[object, ...], _Timeline] = {}
        self._retries: dict[str, _Timeline] = {}
        self._letters_by_event: dict[EventId, DeadLetter] = {}
        self._letters = _Timeline()
        self._replays: dict[str, _Timeline] = {}
        self._manual: dict[str, list[OrderKey]] = {}
        self._of_delivery: dict[DeliveryIdentity, Birth] = {}
        if run.retries:
            self._index_retries()
        if run.letters:
            self._index_letters()
        for status in run.statuses:
            if status.text == MANUAL_STATUS:
                lane = lane_of(status.placed.event.body)
                self._manual.setdefault(lane, []).append(status.placed.key)

    def birth(self, attempt: Attempt, previous: Attempt | None) -> Birth:
        """How this attempt came to be; `previous` is the one before it in its lane."""
        identity = attempt.identity
        found = (
            self._by_cause(attempt)
            or self._by_retry_number(attempt)
            or self._by_replay_count(attempt)
            or self._handed_out_again(attempt, identity)
            or self._since(attempt, previous)
            or (self._of_delivery.get(identity) if identity else None)
            or self._of_the_task(attempt)
        )
        if identity is not None:
            self._of_delivery.setdefault(identity, found)
        return found

    def _by_cause(self, attempt: Attempt) -> Birth | None:
        cause, causing = attempt.cause, attempt.caused_by
        if cause is None:
            return None
        retry = self._retries_by_event.get(cause)
        if retry is not None:
            return Birth(retry.node_id, "received_by", OBSERVED)
        letter = self._letters_by_event.get(cause)
        if letter is not None:
            return Birth(letter.node_id, "replayed_as", OBSERVED)
        if causing is None:
            return None
        if isinstance(causing.event.body, _ACKS):
            by = self._run.attribute(causing)
            if by.attempt is not None and by.attempt is not attempt:
                return Birth(by.attempt.node_id, "manual_retry_to", by.evidence, by.rule)
        return _FROM_ITS_MESSAGE

    def _by_retry_number(self, attempt: Attempt) -> Birth | None:
        received = attempt.received
        if received is None or not received.retry_attempt:
            return None
        # Some stacks give each copy an id of its own; ours do not, so another id is another message.
        number = received.retry_attempt
        choices: list[tuple[object, ...]] = [(attempt.lane, number, received.message_id)]
        if attempt.cause is None:
            choices += [(attempt.lane, number), (attempt.lane, None)]
        for choice in choices:
            timeline = self._retries_by_number.get(choice)
            found = timeline.last_before(attempt.key) if timeline else None
            if found is not None:
                return found[1]
        return None

    def _by_replay_count(self, attempt: Attempt) -> Birth | None:
        received = attempt.received
        if received is None or not received.replay_count:
            return None
        found = self._letters.last_before(attempt.key)
        return found[1] if found else None

    def _handed_out_again(self, attempt: Attempt, identity: DeliveryIdentity | None) -> Birth | None:
        received = attempt.received
        return self._of_delivery.get(identity) if identity and received and received.redelivered else None

    def _since(self, attempt: Attempt, previous: Attempt | None) -> Birth | None:
        """The last thing between the attempt before and this one that makes a message be handled again."""
        received = attempt.received
        if received is None or received.redelivered or attempt.cause is not None or attempt.seqs:
            return None  # our own copies carry their cause: one without it is a message from outside
        timelines = (self._retries.get(attempt.lane), self._replays.get(attempt.lane), self._replays.get(""))
        found = [last for line in timelines if line and (last := line.last_before(attempt.key))]
        if previous is not None:
            found = [(key, birth) for key, birth in found if key > previous.key]
            manual = self._manual_between(previous, attempt)
            if manual is not None:
                born = Birth(previous.node_id, "manual_retry_to", "inferred", MANUAL_STATUS)
                found.append((manual, born))
        return max(found, key=lambda entry: entry[0])[1] if found else None

    def _manual_between(self, previous: Attempt, attempt: Attempt) -> OrderKey | None:
        if attempt.lane == AGGREGATION:
            return None
        lanes = list(self._manual) if not attempt.lane else ["", attempt.lane]
        found = []
        for lane in dict.fromkeys(lanes):
            keys = self._manual.get(lane, [])
            position = bisect.bisect_right(keys, (attempt.key[0], attempt.key[1], "\U0010ffff"))
            if position and keys[position - 1][0] >= previous.key[0]:
                found.append(keys[position - 1])
        return max(found, default=None)

    def _of_the_task(self, attempt: Attempt) -> Birth:
        if attempt.cause is not None:
            return _CAUSE_MISSING
        return _FROM_ITS_MESSAGE if attempt.observed else _NO_OTHER_ORIGIN

    def _index_retries(self) -> None:
        for retry in self._run.retries:
            self._retries_by_event[retry.placed.own_id] = retry
            lane = retry.by.attempt.lane if retry.by.attempt else lane_of(retry.body)
            number, key = retry.body.retry_attempt, retry.placed.key
            counted = Birth(retry.node_id, "received_by", "inferred", "retry_attempt")
            for choice in ((lane, number, retry.body.message_id), (lane, number)):
                self._retries_by_number.setdefault(choice, _Timeline()).append(key, counted)
            before = Birth(retry.node_id, "received_by", "inferred", "retried_before")
            self._retries.setdefault(lane, _Timeline()).append(key, before)

    def _index_letters(self) -> None:
        replays: list[tuple[OrderKey, str, Birth]] = []
        for letter in self._run.letters:
            self._letters.append(
                letter.placed.key, Birth(letter.node_id, "replayed_as", "inferred", "replay_count")
            )
            for placed in letter.records():
                self._letters_by_event[placed.own_id] = letter
            by = letter.by.attempt
            born = Birth(letter.node_id, "replayed_as", "inferred", "replayed_before")
            for placed in letter.replays:
                self._letters_by_event[placed.own_id] = letter
                replays.append((placed.key, by.lane if by else "", born))
        for key, lane, born in sorted(replays, key=lambda replay: replay[0]):
            self._replays.setdefault(lane, _Timeline()).append(key, born)
