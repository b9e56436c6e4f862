"""What is recorded and not yet stored: its order, its bounds, and who must be woken.

Owns the only state that many threads touch, under one lock that nobody holds for long. Knows nothing
of the log, and drops nothing itself: it says no, and the recorder confesses.
"""

from __future__ import annotations

import enum
import sys
import threading
from math import ceil
from typing import Final

from relayna.streams.recording.held import VITAL_TYPES, HeldEvent

__all__ = ["Admission", "Buffer"]


class Admission(enum.Enum):
    """What became of an event that was offered to the buffer."""

    HELD = "held"
    HELD_AND_DUE = "held_and_due"
    """Held, and the flusher asked to be woken at this point."""
    FULL = "full"
    """There is no room for it."""


_HELD: Final = Admission.HELD  # the way of nearly every event; an enum's members are slow to look up


class Buffer:
    """Holds events until they are released, at most `max_events` and `max_bytes` of them.

    Events that a graph is wrong without (`VITAL_TYPES`) may fill it to twice its bounds.
    """

    def __init__(self, *, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        # Re-entrant: a signal handler or a finaliser that records may interrupt us while we hold it.
        self._lock = threading.RLock()
        self._fresh: list[HeldEvent] = []
        self._fresh_bytes = 0
        self._taken = 0
        self._held_events = 0
        self._held_bytes = 0
        self._due_events = sys.maxsize
        self._due_bytes = sys.maxsize

    @property
    def held_events(self) -> int:
        """Events that are not stored yet, with those on their way."""
        return self._held_events

    @property
    def held_bytes(self) -> int:
        """Their encoded size."""
        return self._held_bytes

    @property
    def held_share(self) -> float:
        """How much of the bounds is held; up to 2 by what a graph is wrong without."""
        return max(self._held_events / self._max_events, self._held_bytes / self._max_bytes)

    def room(self, share: float) -> tuple[int, int]:
        """Events and bytes that would make up so much of the bounds; 1 at least."""
        return max(ceil(self._max_events * share), 1), max(ceil(self._max_bytes * share), 1)

    @property
    def fresh_events(self) -> int:
        """Events that nobody has taken yet."""
        return len(self._fresh)

    @property
    def taken(self) -> int:
        """How many were ever taken: the position of the first fresh one."""
        return self._taken

    @property
    def recorded(self) -> int:
        """How many events were ever held: the position that the next one will have."""
        with self._lock:
            return self._taken + len(self._fresh)

    def put(self, event: HeldEvent) -> Admission:
        """Hold the event, when there is room."""
        size = len(event.data)
        with self._lock:
            events, held_bytes = self._held_events + 1, self._held_bytes + size
            if (events > self._max_events or held_bytes > self._max_bytes) and not self._is_worth_it(
                event, events, held_bytes
            ):
                return Admission.FULL
            self._held_events, self._held_bytes = events, held_bytes
            self._fresh.append(event)
            self._fresh_bytes += size
            if len(self._fresh) < self._due_events and self._fresh_bytes < self._due_bytes:
                return _HELD
            self._due_events = self._due_bytes = sys.maxsize  # once is enough
            return Admission.HELD_AND_DUE

    def take(self) -> tuple[int, list[HeldEvent]]:
        """All fresh events in order, and the position of the first. They stay held until released."""
        with self._lock:
            position, events = self._taken, self._fresh
            self._taken += len(events)
            self._fresh, self._fresh_bytes = [], 0
            return position, events

    def release(self, events: int, size: int) -> None:
        """So many events, of so many bytes, are stored or given up."""
        with self._lock:
            self._held_events -= events
            self._held_bytes -= size

    def hold_again(self, events: int, size: int) -> None:
        """So many events that were released are held once more, whatever the bounds."""
        self.release(-events, -size)

    def wake_at(self, events: int, size: int) -> bool:
        """Ask to be woken when so many events or bytes are fresh; whether they already are."""
        with self._lock:
            reached = len(self._fresh) >= events or self._fresh_bytes >= size
            self._due_events, self._due_bytes = (sys.maxsize, sys.maxsize) if reached else (events, size)
            return reached

    def _is_worth_it(self, event: HeldEvent, events: int, held_bytes: int) -> bool:
        return (
            event.event_type in VITAL_TYPES
            and events <= 2 * self._max_events
            and held_bytes <= 2 * self._max_bytes
        )
