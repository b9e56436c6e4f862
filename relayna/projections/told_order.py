"""Places of events that are told after what comes before them, as streams nearly always tell them: in one pass.

Owns what a place is, and the pass; `ordering.py` owns the rule, and what is done where the pass gives up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from relayna.events import RecordedEvent
from relayna.events.vocabulary import RECEIVED_TYPES
from relayna.ids import AttemptId, EventId
from relayna.instants import Instant
from relayna.projections.fact_ids import own_id_in

__all__ = ["DeliveryCount", "OrderKey", "PlacedEvent", "delivery_of", "place_as_told"]

OrderKey: TypeAlias = tuple[int, int, str]
"""Corrected time in microseconds, causal depth, own id: compares as the events happened."""

DeliveryCount: TypeAlias = tuple[int, int, int, bool]
"""Replays, retries, the broker's deliveries before, and its mark of there having been one."""

_RECEIVED: Final = frozenset(RECEIVED_TYPES)
_BEFORE_ALL: Final = -(2**64)
_AFTER_ALL: Final = 2**64


class PlacedEvent(Struct, frozen=True, order=True, gc=False):
    """An event with its place in the order. Those of one task compare as they happened."""

    corrected: Instant
    """Its time, or that of what came before it where that is later: microseconds."""
    depth: int
    """How many events led to it, one after the other."""
    own_id: EventId
    """The fact's own id."""
    event: RecordedEvent
    time: Instant
    """The raw time, as its producer told it."""

    @property
    def key(self) -> OrderKey:
        """What it compares by."""
        return self.corrected, self.depth, self.own_id


def delivery_of(event: RecordedEvent) -> tuple[tuple[Any, ...], DeliveryCount] | None:
    """The message that a received event is a delivery of, and what it counts. Any: fields of the body."""
    if type(event.body) not in _RECEIVED:
        return None
    body: Any = event.body  # Any: one of RECEIVED_TYPES
    if body.message_id is None:
        return None
    message = (type(body), body.message_id, getattr(body, "stage", None) or body.queue_name)
    return message, (body.replay_count, body.retry_attempt, body.delivery_count or 0, body.redelivered)


def place_as_told(events: Mapping[EventId, RecordedEvent]) -> _PlacedAndAside | None:
    """Events with their places, and those outside any sequence that are told before their cause, to be placed.

    None when an event of an attempt, or a delivery, is told before one that comes before it.
    """
    placed: dict[EventId, PlacedEvent] = {}
    aside: list[EventId] = []
    chains: dict[AttemptId, _Chain] = {}
    deliveries = _Deliveries(placed, chains)
    for own_id, event in events.items():
        envelope = event.envelope
        attempt_id, seq, cause = envelope.attempt_id, envelope.seq, envelope.cause
        time, depth = envelope.timestamp, 0
        chain = before = None
        if seq is not None and attempt_id is not None:
            chain = chains.get(attempt_id) or chains.setdefault(attempt_id, _Chain())
            if seq <= chain.seq:
                return None
            before, chain.seq = chain.last, seq
        if type(event.body) in _RECEIVED:
            delivered = deliveries.before(own_id, event)
            before = delivered if before is None else before
        if before is not None:
            depth = before.depth + 1
            time = time if time > before.corrected else before.corrected
        if cause is not None and (before is None or cause != before.own_id):
            cause = cause if "@" not in cause else own_id_in(cause, envelope)
            causing = placed.get(cause)
            if causing is not None:
                depth = depth if depth > causing.depth else causing.depth + 1
                time = time if time > causing.corrected else causing.corrected
            elif cause in events and cause != own_id:
                aside.append(own_id)
                continue
        place = placed[own_id] = PlacedEvent(time, depth, own_id, event, envelope.timestamp)
        if chain is not None:
            chain.last = place
    astray = deliveries.astray or any(_is_in_sequence(events[own_id]) for own_id in aside)
    return None if astray else (placed, aside)


def _is_in_sequence(event: RecordedEvent) -> bool:
    return event.envelope.seq is not None or type(event.body) in _RECEIVED


_PlacedAndAside: TypeAlias = tuple[dict[EventId, PlacedEvent], list[EventId]]


class _Chain(Struct, gc=False):
    """What an attempt has told so far."""

    seq: int = _BEFORE_ALL
    """The number of the last one."""
    last: PlacedEvent | None = None


class _Delivery(Struct, frozen=True, gc=False):
    """The latest delivery of a message."""

    place: tuple[DeliveryCount, Instant, EventId]
    attempt_id: AttemptId | None
    before: PlacedEvent | None


class _Deliveries:
    """What comes before each delivery: everything that the attempt of the delivery before it told."""

    def __init__(self, placed: Mapping[EventId, PlacedEvent], chains: dict[AttemptId, _Chain]) -> None:
        self._placed = placed
        self._chains = chains
        self._latest: dict[tuple[Any, ...], _Delivery] = {}  # Any: fields of the body
        self.astray = False
        """Whether some delivery is told before one that comes before it."""

    def before(self, own_id: EventId, event: RecordedEvent) -> PlacedEvent | None:
        """What comes before this one, the next in the stream."""
        delivery = delivery_of(event)
        if delivery is None:
            return None
        message, count = delivery
        attempt_id = event.envelope.attempt_id
        place = (count, event.envelope.timestamp, own_id)
        earlier, before = self._latest.get(message), None
        if earlier is not None:
            if place <= earlier.place or (attempt_id is not None and attempt_id == earlier.attempt_id):
                self.astray = True
            before = self._end_of(earlier) if count > earlier.place[0] else earlier.before
        self._latest[message] = _Delivery(place, attempt_id, before)
        return before

    def _end_of(self, delivery: _Delivery) -> PlacedEvent | None:
        chain = None
        if delivery.attempt_id is not None:
            chain = self._chains.setdefault(delivery.attempt_id, _Chain())
            chain.seq = _AFTER_ALL  # had it more to tell, that would come before
        if chain is None or chain.last is None:
            return self._placed.get(delivery.place[2])
        return chain.last
