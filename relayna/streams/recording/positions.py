"""How far this process knows the streams that it has written to. Owns the memory and its bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from relayna.events.vocabulary import CLOSING_TYPES
from relayna.ids import AttemptId, StreamId, TaskId, stream_position
from relayna.streams.recording.held import HeldEvent
from relayna.streams.recording.pending_frame import PendingFrame

__all__ = ["Position", "Positions"]

_MOST: Final = 10_000
"""Past it the task not written to for longest is forgotten."""

_MOST_ATTEMPTS: Final = 4
"""Of each task; past it the oldest is forgotten."""

_CLOSING_TYPES: Final = frozenset(CLOSING_TYPES)


class Position(Struct, gc=False):
    """The last frame of a task that the log has acknowledged."""

    stream_id: StreamId
    events: int
    """How many it holds."""
    highest: dict[AttemptId, int]
    """By attempt, the last number that was ever stored."""
    closed: dict[AttemptId, str]
    """How those of them ended that have: the closing event's type name."""


class Positions:
    """The last tasks written to. Belongs to one event loop."""

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._positions: OrderedDict[TaskId, Position] = OrderedDict()

    def written_since(self, milliseconds: int) -> list[TaskId]:
        """Tasks whose last frame is at most so much older than the newest of all, by the store's clock."""
        times = {
            task_id: stream_position(position.stream_id)[0] for task_id, position in self._positions.items()
        }
        newest = max(times.values(), default=0)
        return [task_id for task_id, at in times.items() if newest - at <= milliseconds]

    def of(self, task_id: TaskId) -> Position | None:
        """The task's, when it is known."""
        return self._positions.get(task_id)

    def note(self, stored: Iterable[tuple[PendingFrame, StreamId]]) -> None:
        """The log has these frames, there."""
        positions = self._positions
        for frame, stream_id in stored:
            position = positions.get(frame.task_id)
            if position is None:
                position = positions[frame.task_id] = Position(stream_id, 0, {}, {})
            else:
                positions.move_to_end(frame.task_id)
            position.stream_id, position.events = stream_id, len(frame.events)
            _note_attempts(position, frame.events)
        while len(positions) > self._most:
            positions.popitem(last=False)

    def forget(self, task_id: TaskId) -> None:
        """What was known of the task is not true any more."""
        self._positions.pop(task_id, None)


def _note_attempts(position: Position, events: Iterable[HeldEvent]) -> None:
    highest = position.highest
    for event in events:
        attempt_id, seq = event.attempt_id, event.seq
        if attempt_id is None or not isinstance(seq, int) or seq < highest.get(attempt_id, 0):
            continue
        highest[attempt_id] = seq
        if event.event_type in _CLOSING_TYPES:
            position.closed[attempt_id] = event.event_type.__name__
    while len(highest) > _MOST_ATTEMPTS:
        oldest = next(iter(highest))
        del highest[oldest]
        position.closed.pop(oldest, None)
