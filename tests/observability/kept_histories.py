"""Whole histories put into a log as they would lie there, so many events a frame."""

from __future__ import annotations

from collections.abc import Iterable

from relayna.events import Event, RecordedEvent, encode_event, encode_frame
from relayna.ids import TaskId
from relayna.streams import Append, Log, TaskAddress

__all__ = ["keep"]


async def keep(log: Log, events: Iterable[RecordedEvent], *, per_frame: int = 1) -> None:
    """Append each task's events to its stream, in order."""
    by_task: dict[TaskId, list[RecordedEvent]] = {}
    for event in events:
        by_task.setdefault(event.envelope.task_id, []).append(event)
    appends = [
        Append(TaskAddress(task_id), _frame(told[start : start + per_frame]))
        for task_id, told in by_task.items()
        for start in range(0, len(told), per_frame)
    ]
    async with log:
        await log.append(appends)


def _frame(events: list[RecordedEvent]) -> bytes:
    said = [encode_event(Event(envelope=event.envelope, body=event.body)) for event in events]
    return encode_frame(events[0].envelope.task_id, None, events[0].first_append_ms or 0, said)
