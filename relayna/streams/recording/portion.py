"""How much goes to the log at once, and when there is enough of it.

Owns the sizes of batches. Where many tasks say a little each, a frame holds one event and costs as much as one
that holds ten; so then more is awaited, within the time that an event waits for others anyway.
"""

from __future__ import annotations

from typing import Final

from relayna.streams.recording.buffer import Buffer
from relayna.streams.recording.flush_policy import FlushPolicy
from relayna.streams.recording.lanes import Lanes
from relayna.streams.recording.pending_frame import PendingFrame

__all__ = ["Portion"]

_BATCH: Final = 8
"""A batch that has piled up is at most this many times the size at which a flush is due."""
_FULL_FRAME: Final = 4
"""Events a frame, on the average; with fewer it is worth while to wait for more."""
_ROOM: Final = 0.25
"""Of the buffer's bounds; past it nothing is awaited, or a burst would find no room."""


class Portion:
    """Belongs to one flusher."""

    def __init__(self, policy: FlushPolicy, buffer: Buffer) -> None:
        self._policy = policy
        room_events, room_bytes = buffer.room(_ROOM)
        self._most_events = policy.flush_events * _BATCH
        self._most_bytes = policy.flush_bytes * _BATCH
        self._thin_events = max(min(self._most_events, room_events), policy.flush_events)
        self._thin_bytes = max(min(self._most_bytes, room_bytes), policy.flush_bytes)
        self._is_thin = False

    @property
    def due(self) -> tuple[int, int]:
        """So many events, or bytes, are a reason to flush before the time is up."""
        if self._is_thin:
            return self._thin_events, self._thin_bytes
        return self._policy.flush_events, self._policy.flush_bytes

    def cut(self, lanes: Lanes, *, now_ms: int) -> list[PendingFrame]:
        """The next batch."""
        batch = lanes.next_batch(now_ms=now_ms, max_events=self._most_events, max_bytes=self._most_bytes)
        self._is_thin = sum(len(frame.events) for frame in batch) < len(batch) * _FULL_FRAME
        return batch
