"""The order of a task's events: by corrected time, causal depth and id.

The corrected time of an event is the greatest of its own, that of its cause and that of the event before
it in its attempt, so an effect never comes before its cause, however wrong the clocks are. A delivery that
says it was handed out before comes after the same delivery's earlier one likewise. Owns the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final, TypeAlias

from msgspec import Struct

from relayna.events import RecordedEvent
from relayna.events.vocabulary import RECEIVED_TYPES
from relayna.ids import AttemptId, EventId, own_event_id
from relayna.instants import Instant

__all__ = ["OrderKey", "PlacedEvent", "in_causal_order"]

OrderKey: TypeAlias = tuple[int, int, str]
"""Corrected time in microseconds, causal depth, own id: compares as the events happened."""

_RECEIVED: Final = frozenset(RECEIVED_TYPES)


class PlacedEvent(Struct, frozen=True, gc=False):
    """An event with its place in the order."""

    key: OrderKey
    event: RecordedEvent

    @property
    def own_id(self) -> EventId:
        """The fact's own id."""
        return EventId(self.key[2])

    @property
    def time(self) -> Instant:
        """The raw time, as its producer told it."""
        return self.event.envelope.timestamp


def in_causal_order(events: Mapping[EventId, RecordedEvent]) -> tuple[list[PlacedEvent], bool]:
    """All events in order, and whether causes ran in a circle (then the circle is cut at its earliest event)."""
    before = _previous_delivery(events) | _previous_in_attempt(events)
    start = sorted(events, key=lambda own_id: (events[own_id].envelope.timestamp, own_id))
    walk = _Walk(events, before)
    for own_id in start:
        if own_id not in walk.placed:
            walk.place(own_id)
    ordered = [PlacedEvent(key, events[own_id]) for own_id, key in walk.placed.items()]
    ordered.sort(key=lambda placed: placed.key)
    return ordered, walk.circular


def _previous_in_attempt(events: Mapping[EventId, RecordedEvent]) -> dict[EventId, EventId]:
    attempts: dict[AttemptId, list[tuple[int, EventId]]] = {}
    for own_id, event in events.items():
        envelope = event.envelope
        if envelope.seq is not None and envelope.attempt_id is not None:
            attempts.setdefault(envelope.attempt_id, []).append((envelope.seq, own_id))
    before: dict[EventId, EventId] = {}
    for members in attempts.values():
        members.sort()
        for (_, earlier), (_, later) in pairwise(members):
            before[later] = earlier
    return before


def _previous_delivery(events: Mapping[EventId, RecordedEvent]) -> dict[EventId, EventId]:
    """Workers' clocks may disagree on which of two came first; the broker's count and mark do not."""
    deliveries: dict[tuple[Any, ...], list[tuple[int, bool, int, EventId]]] = {}  # Any: fields of the body
    for own_id, event in events.items():
        if type(event.body) in _RECEIVED:
            body: Any = event.body  # Any: one of RECEIVED_TYPES
            if body.message_id is not None:
                place = getattr(body, "stage", None) or body.queue_name
                delivery = (type(body), body.message_id, place, body.retry_attempt, body.replay_count)
                again = (body.delivery_count or 0, body.redelivered, event.envelope.timestamp, own_id)
                deliveries.setdefault(delivery, []).append(again)
    before: dict[EventId, EventId] = {}
    for members in deliveries.values():
        members.sort()
        for earlier, later in pairwise(members):
            if earlier[:2] < later[:2]:
                before[later[3]] = earlier[3]
            elif earlier[3] in before:
                before[later[3]] = before[earlier[3]]
    return before


class _Walk:
    """Places events after what led to them, without recursion: chains may be 10,000 deep."""

    def __init__(self, events: Mapping[EventId, RecordedEvent], before: Mapping[EventId, EventId]) -> None:
        self._events = events
        self._before = before
        self.placed: dict[EventId, OrderKey] = {}
        self.circular = False

    def place(self, own_id: EventId) -> None:
        path = [(own_id, iter(self._led_by(own_id)))]
        on_path = {own_id}
        while path:
            current, earlier_ones = path[-1]
            for earlier in earlier_ones:
                if earlier in on_path:
                    self.circular = True
                elif earlier not in self.placed:
                    path.append((earlier, iter(self._led_by(earlier))))
                    on_path.add(earlier)
                    break
            else:
                self._settle(current)
                on_path.discard(current)
                path.pop()

    def _led_by(self, own_id: EventId) -> tuple[EventId, ...]:
        cause = self._events[own_id].envelope.cause
        earlier = self._before.get(own_id)
        if cause is not None:
            cause = own_event_id(cause)
            if cause not in (own_id, earlier) and cause in self._events:
                return (cause,) if earlier is None else (cause, earlier)
        return () if earlier is None else (earlier,)

    def _settle(self, own_id: EventId) -> None:
        time: int = self._events[own_id].envelope.timestamp
        depth = 0
        for earlier in self._led_by(own_id):
            key = self.placed.get(earlier)
            if key is not None:
                time = max(time, key[0])
                depth = max(depth, key[1] + 1)
        self.placed[own_id] = (time, depth, own_id)
