"""The frames that were stored last, kept for a while in case the store loses what it has acknowledged.

Owns the window and its bounds. Does not know what was lost; `fail_over.py` finds out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from relayna.ids import StreamId, TaskId
from relayna.instants import Instant
from relayna.streams.recording.lanes import PendingFrame

__all__ = ["RetransmitWindow"]


class RetransmitWindow:
    """Frames in the order in which they were stored. Belongs to one event loop.

    Time passes only while the store is seen to be the same (`expire`): what was stored just before a
    recorder fell idle is still here when it finds out, much later, that there was a fail-over.
    """

    def __init__(self, *, max_bytes: int, max_seconds: float) -> None:
        """Bytes are those of encoded events."""
        self._max_bytes = max_bytes
        self._max_microseconds = max_seconds * 1e6
        self._frames: deque[tuple[Instant, PendingFrame, StreamId]] = deque()
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """The size of what is kept."""
        return self._bytes

    def note(self, stored: Iterable[tuple[PendingFrame, StreamId]], now: Instant) -> None:
        """The log has these frames, there."""
        kept = [(now, frame, stream_id) for frame, stream_id in stored]
        self._frames.extend(kept)
        self._bytes += sum([frame.size for _, frame, _ in kept])
        while self._bytes > self._max_bytes:
            self._drop_first()

    def expire(self, now: Instant) -> None:
        """The store is the same as before: what was stored longer ago than the window lasts is safe."""
        while self._frames and now - self._frames[0][0] > self._max_microseconds:
            self._drop_first()

    def by_task(self) -> Mapping[TaskId, list[tuple[PendingFrame, StreamId]]]:
        """Everything that is kept, in order within a task."""
        found: dict[TaskId, list[tuple[PendingFrame, StreamId]]] = {}
        for _, frame, stream_id in self._frames:
            found.setdefault(frame.task_id, []).append((frame, stream_id))
        return found

    def take_out(self, frames: Collection[PendingFrame]) -> None:
        """These are to be stored again; they come back when they are."""
        gone = set(frames)
        self._frames = deque(kept for kept in self._frames if kept[1] not in gone)
        self._bytes = sum(frame.size for _, frame, _ in self._frames)

    def _drop_first(self) -> None:
        self._bytes -= self._frames.popleft()[1].size
