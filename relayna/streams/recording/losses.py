"""What was given up, remembered until it is confessed in the streams that it is missing from.

Owns the memory of losses, its bound, and the shape of a confession. Decides nothing: the recorder and
its flusher say what is lost and when the log can be told.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from relayna.events import Envelope, Event, EventsLost, encode_event
from relayna.events.vocabulary import CLOSING_TYPES
from relayna.ids import AttemptId, TaskId, counted_event_id
from relayna.instants import Instant
from relayna.signals import Counters
from relayna.streams.recording.held import SOURCES, HeldEvent

__all__ = ["FAILED_OVER", "Loss", "Losses", "joined_ranges"]

FAILED_OVER: Final = "failover"
"""Why an event is lost that the store had acknowledged; for every other reason it was never stored."""

_CLOSING_TYPES: Final = frozenset(CLOSING_TYPES)
_MOST_RANGES: Final = 256
"""Past it a loss is counted without its numbers, and shows as a gap."""


class Loss(Struct, eq=False):
    """Events of one attempt, or of a task outside any attempt, lost for one reason."""

    task_id: TaskId
    attempt_id: AttemptId | None
    reason: str
    ranges: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0
    outcome: str | None = None

    def add(self, event: HeldEvent) -> None:
        """One more."""
        self.count += 1
        if event.event_type in _CLOSING_TYPES:
            self.outcome = event.event_type.__name__
        seq: object = event.seq
        if event.attempt_id is None or not isinstance(seq, int):
            return
        if self.ranges and self.ranges[-1][1] == seq - 1:
            self.ranges[-1] = (self.ranges[-1][0], seq)
        elif len(self.ranges) < _MOST_RANGES:
            self.ranges.append((seq, seq))

    def confession(self, *, number: int, now: Instant, producer: str) -> HeldEvent:
        """The event to be stored; `number` is one that no other confession of this process has."""
        envelope = Envelope(
            event_id=counted_event_id(self.attempt_id or producer, "lost", number),
            timestamp=now,
            task_id=self.task_id,
            attempt_id=self.attempt_id,
            producer=producer,
        )
        body = EventsLost(
            seq_ranges=tuple(joined_ranges(self.ranges)),
            count=self.count,
            reason=self.reason,
            outcome=self.outcome,
        )
        data = encode_event(Event(envelope=envelope, body=body))
        return HeldEvent(self.task_id, None, data, EventsLost, self.attempt_id, None)


class Losses:
    """The losses that no stream tells of yet. Safe to use from any thread."""

    def __init__(self, counters: Counters, *, max_losses: int = 1000) -> None:
        self._counters = counters
        self._max_losses = max_losses
        self._lock = threading.RLock()
        self._losses: dict[tuple[TaskId, AttemptId | None, str], Loss] = {}
        self._unreported: dict[tuple[type, str], int] = {}
        self._news = False
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._losses)

    def add(self, event: HeldEvent, reason: str) -> None:
        """Count the event as lost, and remember to confess it.

        A lost confession is not confessed in turn, nor are losses past the bound: their numbers show as gaps.
        """
        self.remember(event, reason)
        self.report()

    def remember(self, event: HeldEvent, reason: str) -> bool:
        """The same on the time of somebody in a hurry: the counters are told when `report` is called.

        Returns whether this is the first since then.
        """
        kind = (event.event_type, reason)
        key = (event.task_id, event.attempt_id, reason)
        with self._lock:
            self._news = True
            is_first = not self._unreported
            self._unreported[kind] = self._unreported.get(kind, 0) + 1
            if event.event_type is EventsLost:
                return is_first
            loss = self._losses.get(key)
            if loss is None:
                if len(self._losses) >= self._max_losses:
                    return is_first
                loss = self._losses[key] = Loss(*key)
            loss.add(event)
            return is_first

    def report(self) -> None:
        """Tell the counters what they have not been told."""
        if self._unreported:
            with self._lock:
                unreported, self._unreported = self._unreported, {}
            for (event_type, reason), count in unreported.items():
                self._increment(event_type, reason, count)

    def count(self, event_type: type, reason: str, by: int = 1) -> None:
        """Count an event as lost that no stream can tell of."""
        self._increment(event_type, reason, by)
        with self._lock:
            self._news = True

    def add_found(self, loss: Loss) -> None:
        """Count and remember a loss that was found out afterwards, when the events themselves are gone."""
        self.count(EventsLost, loss.reason, loss.count)
        loss.ranges = loss.ranges[:_MOST_RANGES]
        self.put_back([loss])

    def confessions(self, *, now: Instant, producer: str) -> list[tuple[Loss, HeldEvent]]:
        """Take all losses away, each with the event that confesses it."""
        self.report()
        with self._lock:
            losses, self._losses = list(self._losses.values()), {}
            first, self._number = self._number, self._number + len(losses)
        return [
            (loss, loss.confession(number=number, now=now, producer=producer))
            for number, loss in enumerate(losses, first)
        ]

    def put_back(self, losses: Iterable[Loss]) -> None:
        """There was no room to confess them; a loss of the same attempt since then stays its own."""
        with self._lock:
            for loss in losses:
                newer = self._losses.get((loss.task_id, loss.attempt_id, loss.reason))
                if newer is not None:
                    loss.ranges = (loss.ranges + newer.ranges)[:_MOST_RANGES]
                    loss.count += newer.count
                    loss.outcome = newer.outcome or loss.outcome
                self._losses[(loss.task_id, loss.attempt_id, loss.reason)] = loss

    def take_news(self) -> bool:
        """Whether anything was lost since this was last asked."""
        with self._lock:
            news, self._news = self._news, False
            return news

    def _increment(self, event_type: type, reason: str, by: int) -> None:
        source = SOURCES.get(event_type, "observation")
        self._counters.increment("relayna_records_total", by, source=source, outcome="dropped")
        self._counters.increment("relayna_records_dropped_total", by, reason=reason)
        if reason != FAILED_OVER:
            self._counters.increment("relayna_emission_failures_total", by, reason=reason)


def joined_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in order, ranges that touch or overlap brought together."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
