"""The frames that were stored last, kept for a while in case the store loses what it has acknowledged.

Owns the window and its bounds. Does not know what was lost; `fail_over.py` finds out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from relayna.ids import StreamId, TaskId
from relayna.instants import Instant
from relayna.streams.recording.pending_frame import PendingFrame

__all__ = ["RetransmitWindow"]


class _Stored(Struct, eq=False):
    """What was stored at one time."""

    at: Instant
    frames: deque[tuple[PendingFrame, StreamId]]


class RetransmitWindow:
    """Frames in the order in which they were stored. Belongs to one event loop.

    Time passes only while the store is seen to be the same (`expire`): what was stored just before a
    recorder fell idle is still here when it finds out, much later, that there was a fail-over.
    """

    def __init__(self, *, max_bytes: int, max_seconds: float) -> None:
        """Bytes are those of encoded events."""
        self._max_bytes = max_bytes
        self._max_microseconds = max_seconds * 1e6
        self._stored: deque[_Stored] = deque()
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """The size of what is kept."""
        return self._bytes

    def note(self, stored: Iterable[tuple[PendingFrame, StreamId]], now: Instant) -> None:
        """The log has these frames, there."""
        frames = deque(stored)
        if not frames:  # else each try of an outage would leave something here, for time does not pass then
            return
        self._stored.append(_Stored(now, frames))
        self._bytes += sum([frame.size for frame, _ in frames])
        while self._bytes > self._max_bytes:
            self._drop_some()

    def expire(self, now: Instant) -> None:
        """The store is the same as before: what was stored longer ago than the window lasts is safe."""
        while self._stored and now - self._stored[0].at > self._max_microseconds:
            self._bytes -= sum([frame.size for frame, _ in self._stored.popleft().frames])

    def by_task(self) -> Mapping[TaskId, list[tuple[PendingFrame, StreamId]]]:
        """Everything that is kept, in order within a task."""
        found: dict[TaskId, list[tuple[PendingFrame, StreamId]]] = {}
        for frame, stream_id in (kept for stored in self._stored for kept in stored.frames):
            found.setdefault(frame.task_id, []).append((frame, stream_id))
        return found

    def take_out(self, frames: Collection[PendingFrame]) -> None:
        """These are to be stored again; they come back when they are."""
        gone = set(frames)
        for stored in self._stored:
            stored.frames = deque(kept for kept in stored.frames if kept[0] not in gone)
        self._bytes = sum(frame.size for stored in self._stored for frame, _ in stored.frames)

    def _drop_some(self) -> None:
        """The first ones, until there are few enough or the first batch is gone."""
        frames = self._stored[0].frames
        while frames and self._bytes > self._max_bytes:
            self._bytes -= frames.popleft()[0].size
        if not frames:
            self._stored.popleft()
