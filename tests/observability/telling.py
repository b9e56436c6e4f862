"""Tells a log facts without any consumer: what the tests of graph services stand on."""

from __future__ import annotations

from relayna.clock import FrozenClock
from relayna.events import Body, Envelope, Event, encode_event, encode_frame
from relayna.ids import EventId, TaskId
from relayna.streams import Append, Log, TaskAddress

__all__ = ["tell"]


async def tell(
    log: Log,
    clock: FrozenClock,
    task_id: str,
    *bodies: Body,
    kind: str | None = None,
    offered_earlier: float = 0,
) -> None:
    """Append one frame of facts without attempts, first offered to the log so many seconds ago."""
    events = []
    for index, body in enumerate(bodies):
        event_id = EventId(f"{task_id}-{clock.now()}-{index}.told")
        events.append(
            Event(
                envelope=Envelope(event_id=event_id, timestamp=clock.now(), task_id=TaskId(task_id)),
                body=body,
            )
        )
    payload = encode_frame(
        TaskId(task_id),
        kind,
        round(clock.now() / 1000 - offered_earlier * 1000),
        [encode_event(event) for event in events],
    )
    await log.append([Append(TaskAddress(TaskId(task_id)), payload)])
