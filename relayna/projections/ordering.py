"""The order of a task's events: by corrected time, causal depth and id.

The corrected time of an event is the greatest of its own, that of its cause and that of the event before
it in its attempt, so an effect never comes before its cause, however wrong the clocks are. Deliveries of one
message come in the order of what they count, likewise. Owns the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from relayna.events import RecordedEvent
from relayna.ids import AttemptId, EventId
from relayna.projections.fact_ids import cause_of
from relayna.projections.told_order import (
    DeliveryCount,
    OrderKey,
    PlacedEvent,
    delivery_of,
    place_as_told,
)

__all__ = [
    "OrderKey",
    "PlacedEvent",
    "in_causal_order",
    "place_events",
    "place_in_any_order",
    "sorted_places",
]


def in_causal_order(events: Mapping[EventId, RecordedEvent]) -> tuple[list[PlacedEvent], bool]:
    """All events in order, and whether causes ran in a circle (then the circle is cut at its earliest event)."""
    placed, circular = place_events(events)
    return sorted_places(placed), circular


def sorted_places(placed: Mapping[EventId, PlacedEvent]) -> list[PlacedEvent]:
    """What was placed, in order."""
    return sorted(placed.values())


def place_events(events: Mapping[EventId, RecordedEvent]) -> tuple[dict[EventId, PlacedEvent], bool]:
    """Every event with its place, by own id in no order, and whether causes ran in a circle."""
    as_told = place_as_told(events)
    if as_told is not None:
        placed, aside = as_told
        if not aside:
            return placed, False
        rest = _Walk(events, {}, placed)
        rest.place_all(_by_time(aside, events))
        if not rest.circular:
            return placed, False
    return place_in_any_order(events)


def place_in_any_order(events: Mapping[EventId, RecordedEvent]) -> tuple[dict[EventId, PlacedEvent], bool]:
    """As `place_events`, in whatever order they are told."""
    before, last = _chains_of_attempts(events)
    start = _by_time(events, events)
    walk = _Walk(events, _previous_delivery(events, last) | before)
    walk.place_all(start)
    if walk.circular:  # what deliveries count gives way to what their causes say
        walk = _Walk(events, before)
        walk.place_all(start)
    return walk.placed, walk.circular


def _by_time(
    own_ids: Iterable[EventId], events: Mapping[EventId, RecordedEvent]
) -> list[tuple[int, EventId, RecordedEvent]]:
    return sorted((events[own_id].envelope.timestamp, own_id, events[own_id]) for own_id in own_ids)


def _chains_of_attempts(
    events: Mapping[EventId, RecordedEvent],
) -> tuple[dict[EventId, EventId], dict[AttemptId, EventId]]:
    """What comes before each event in its attempt, and the last event of each attempt."""
    attempts: dict[AttemptId, list[tuple[int, EventId]]] = {}
    for own_id, event in events.items():
        envelope = event.envelope
        attempt_id, seq = envelope.attempt_id, envelope.seq
        if seq is not None and attempt_id is not None:
            members = attempts.get(attempt_id)
            if members is None:
                attempts[attempt_id] = [(seq, own_id)]
            else:
                members.append((seq, own_id))
    before: dict[EventId, EventId] = {}
    for members in attempts.values():
        members.sort()
        for (_, earlier), (_, later) in pairwise(members):
            before[later] = earlier
    return before, {attempt_id: members[-1][1] for attempt_id, members in attempts.items()}


def _previous_delivery(
    events: Mapping[EventId, RecordedEvent], last: Mapping[AttemptId, EventId]
) -> dict[EventId, EventId]:
    """Clocks may disagree on which delivery of a message came first; what the deliveries count does not.

    A later one comes after everything that the attempt of the earlier one told.
    """
    deliveries: dict[
        tuple[Any, ...], list[tuple[DeliveryCount, int, EventId]]
    ] = {}  # Any: fields of the body
    for own_id, event in events.items():
        delivery = delivery_of(event)
        if delivery is not None:
            message, count = delivery
            deliveries.setdefault(message, []).append((count, event.envelope.timestamp, own_id))
    before: dict[EventId, EventId] = {}
    for members in deliveries.values():
        members.sort()
        for (count, _, earlier), (next_count, _, later) in pairwise(members):
            if count < next_count:
                attempt_id = events[earlier].envelope.attempt_id
                before[later] = earlier if attempt_id is None else last.get(attempt_id, earlier)
            elif earlier in before:
                before[later] = before[earlier]
    return before


class _Walk:
    """Places events after what led to them, without recursion: chains may be 10,000 deep."""

    def __init__(
        self,
        events: Mapping[EventId, RecordedEvent],
        before: Mapping[EventId, EventId],
        placed: dict[EventId, PlacedEvent] | None = None,
    ) -> None:
        self._events = events
        self._before = before
        self.placed = {} if placed is None else placed
        self.circular = False

    def place_all(self, start: Iterable[tuple[int, EventId, RecordedEvent]]) -> None:
        """Place every event, those of `start` in turn."""
        for _, own_id, event in start:
            if own_id in self.placed:
                continue
            led_by = self._led_by(own_id, event)
            for earlier in led_by:
                if earlier not in self.placed:
                    self._place_after_others(own_id, led_by)
                    break
            else:  # with clocks that agree, always
                self._settle(own_id, event, led_by)

    def _place_after_others(self, own_id: EventId, led_by: tuple[EventId, ...]) -> None:
        path = [(own_id, led_by, iter(led_by))]
        on_path = {own_id}
        while path:
            current, led_by, earlier_ones = path[-1]
            for earlier in earlier_ones:
                if earlier in on_path:
                    self.circular = True
                elif earlier not in self.placed:
                    led_by = self._led_by(earlier, self._events[earlier])
                    path.append((earlier, led_by, iter(led_by)))
                    on_path.add(earlier)
                    break
            else:
                self._settle(current, self._events[current], led_by)
                on_path.discard(current)
                path.pop()

    def _led_by(self, own_id: EventId, event: RecordedEvent) -> tuple[EventId, ...]:
        envelope = event.envelope
        earlier = self._before.get(own_id)
        if envelope.cause is not None and envelope.cause != earlier:
            cause = cause_of(envelope)
            if cause is not None and cause not in (own_id, earlier) and cause in self._events:
                return (cause,) if earlier is None else (cause, earlier)
        return () if earlier is None else (earlier,)

    def _settle(self, own_id: EventId, event: RecordedEvent, led_by: tuple[EventId, ...]) -> None:
        time = event.envelope.timestamp
        depth = 0
        for earlier in led_by:
            placed = self.placed.get(earlier)
            if placed is not None:
                time = max(time, placed.corrected)
                depth = max(depth, placed.depth + 1)
        self.placed[own_id] = PlacedEvent(time, depth, own_id, event, event.envelope.timestamp)
