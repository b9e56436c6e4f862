"""The one pass over a task's events in order: it makes attempts of them, and sorts out what else is looked for.

Owns which events make an attempt. Attributes nothing to attempts: for that, all of them must be known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from relayna.events import (
    AggregationMessageReceived,
    Body,
    DeadLetterRecorded,
    DeliveryRepeated,
    EventsLost,
    TaskMessageReceived,
    TaskPublished,
    WorkflowMessageReceived,
)
from relayna.events.vocabulary import RECEIVED_TYPES, STATUS_TYPES
from relayna.projections.attempts import ANY_LANE, Attempt, Attempts, Received, lane_of
from relayna.projections.fact_ids import cause_of, is_copy
from relayna.projections.few import with_one_more
from relayna.projections.told_order import PlacedEvent

__all__ = ["Reading", "read_events"]

_STATUSES: Final[frozenset[type[Body]]] = frozenset(STATUS_TYPES)
_RECEIVED: Final[frozenset[type[Body]]] = frozenset(RECEIVED_TYPES)
_BEGINNINGS: Final = frozenset({TaskPublished, TaskMessageReceived, AggregationMessageReceived})
"""Beside the attempts that they make, nobody looks for them."""
_ABOUT_ATTEMPTS: Final = frozenset({DeadLetterRecorded, DeliveryRepeated, EventsLost})
"""They name an attempt but are not told by it."""


class Reading(Struct, frozen=True):
    """What the pass found, each part in order."""

    attempts: Attempts
    statuses: list[PlacedEvent]
    others: list[PlacedEvent]
    """What is neither a status nor the beginning of something."""
    outside: list[PlacedEvent]
    """What names no attempt."""


def read_events(ordered: Iterable[PlacedEvent]) -> Reading:
    """Read one task's events; `ordered` has them in order."""
    statuses: list[PlacedEvent] = []
    others: list[PlacedEvent] = []
    outside: list[PlacedEvent] = []
    found: dict[str, Attempt] = {}
    for placed in ordered:
        event = placed.event
        envelope, body_type = event.envelope, type(event.body)
        attempt_id, seq = envelope.attempt_id, envelope.seq
        if body_type in _STATUSES:
            statuses.append(placed)
        elif body_type not in _BEGINNINGS:
            others.append(placed)
        if attempt_id is None:
            outside.append(placed)
            if body_type in _RECEIVED:
                _take(_first_seen(placed, placed.own_id, found), placed)
        elif placed.own_id is envelope.event_id or not is_copy(
            envelope
        ):  # else another task's attempt tells it
            attempt = found.get(attempt_id) or _first_seen(placed, attempt_id, found)
            if attempt.opened is None:
                _take(attempt, placed)
            if seq == attempt.told:
                attempt.told += 1
            elif seq is not None:
                attempt.strays = with_one_more(attempt.strays, seq)
    return Reading(Attempts(found), statuses, others, outside)


def _first_seen(placed: PlacedEvent, ref: str, found: dict[str, Attempt]) -> Attempt:
    observed = placed.event.envelope.attempt_id is not None
    attempt = Attempt(ref=ref, key=placed.key, begun=placed.time, lane=ANY_LANE, observed=observed)
    found[ref] = attempt
    return attempt


def _take(attempt: Attempt, placed: PlacedEvent) -> None:
    """One more event of an attempt that is not opened yet."""
    body = placed.event.body
    if isinstance(body, RECEIVED_TYPES):
        _open(attempt, placed, body)
        return
    if type(body) not in _ABOUT_ATTEMPTS:
        attempt.only_told_of = False
    if attempt.lane == ANY_LANE:
        attempt.lane = lane_of(body)


def _open(attempt: Attempt, placed: PlacedEvent, received: Received) -> None:
    attempt.opened, attempt.key, attempt.begun = placed, placed.key, placed.time
    attempt.lane, attempt.only_told_of = lane_of(received), False
    attempt.received, attempt.cause = received, cause_of(placed.event.envelope)
    if received.message_id is not None:
        place = received.queue_name
        if isinstance(received, WorkflowMessageReceived):
            place = received.stage or place
        attempt.identity = (received.message_id, place, received.retry_attempt, received.replay_count)
