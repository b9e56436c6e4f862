"""What the tests of incidents stand on: histories in a log, read and redacted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio
import msgspec

from relayna.clock import FrozenClock
from relayna.events import EVENT_TYPES, Envelope, Event, RecordedEvent, encode_event, encode_frame
from relayna.ids import AttemptId, EventId, SessionId, TaskId
from relayna.instants import Instant
from relayna.observability.incident import Incident, Origin, read_incident
from relayna.streams import Append, MemoryLog, TaskAddress
from relayna.testing import history

__all__ = ["HOSTILE", "ORIGIN", "failing_events", "hostile_events", "incident_of", "record"]

ORIGIN = Origin(made_by="relayna 1.2.3", tenant="default", prefix="relayna", store="redis://***@cache:6379/0")


HOSTILE = (
    "<script>document.documentElement.dataset.owned = 1</script>",
    "</script><script>document.documentElement.dataset.owned = 1</script>",
    '"><img src=x onerror="document.documentElement.dataset.owned = 1">',
    "' onmouseover='document.documentElement.dataset.owned = 1' autofocus onfocus='document.documentElement.dataset.owned = 1",
    "<svg onload=document.documentElement.dataset.owned=1><a href=javascript:alert(1)>",
    "</title></style></svg></textarea><!-- --!> <iframe srcdoc='<script>parent.owned=1</script>'>",
    "$script ${style} $data &lt;script&gt; &#60;b&#62;",
    "\u202e\u2066reversed\u2069 \u0000 \u0007 \u001b[31m \ufeff",
)
"""Texts that would like to be run, or to hide."""


async def record(
    log: MemoryLog, events: Iterable[RecordedEvent], kind: str | None, *, together: int = 1
) -> None:
    """Store these events, so many of a task in a frame."""
    by_task: dict[TaskId, list[bytes]] = {}
    for event in events:
        data = encode_event(Event(envelope=event.envelope, body=event.body))
        by_task.setdefault(event.envelope.task_id, []).append(data)
    for task_id, stored in by_task.items():
        for start in range(0, len(stored), together):
            frame = encode_frame(task_id, kind, 1_767_225_600_000 + start, stored[start : start + together])
            await log.append([Append(TaskAddress(task_id), frame)])


def incident_of(
    events: Iterable[RecordedEvent],
    task_id: str = "T",
    *,
    kind: str = "shared_tasks_shared_status",
    origin: Origin = ORIGIN,
    together: int = 1,
    **options: Any,
) -> Incident:
    """The incident of a task of which a log holds these events."""

    async def read() -> Incident:
        clock = FrozenClock(Instant(1_767_229_200_000_000))
        log = MemoryLog(clock=clock)
        async with log:
            await record(log, events, kind, together=together)
            return await read_incident(log, task_id, origin=origin, clock=clock, **options)

    return anyio.run(read)


def failing_events(task_id: str = "T") -> list[RecordedEvent]:
    """One attempt times out, the next is dead-lettered; a child is done."""
    task = history(task_id)
    first = task.published().attempt()
    child = first.spawns(f"{task_id}-child")
    first.fails("TimeoutError", "no answer, password=hunter2").retried(delay_ms=1)
    child.attempt().acked()
    task.attempt().fails("TimeoutError", "no answer").dead_lettered()
    return task.events


def hostile_events(payload: str) -> list[RecordedEvent]:
    """Every type of event with the payload in every text of it, all of the task that is called so."""
    events: list[RecordedEvent] = []
    for number, (event_type, _) in enumerate(EVENT_TYPES):
        values = {
            field.name: value
            for field in msgspec.structs.fields(event_type)
            if (value := _hostile(field.type, payload)) is not None
        }
        envelope = Envelope(
            event_id=EventId(f"{payload}{number}"),
            timestamp=Instant(1_767_225_600_000_000 + number),
            task_id=TaskId(payload),
            attempt_id=AttemptId(payload),
            session_id=SessionId(payload),
            correlation_id=payload,
            producer=payload,
        )
        events.append(RecordedEvent(envelope=envelope, body=event_type(**values)))
    return events


def _hostile(kind: Any, payload: str) -> object:
    for value in (payload, {payload: payload}, payload.encode(), 1, True):
        try:
            msgspec.convert(msgspec.to_builtins(value), kind)
        except msgspec.ValidationError:
            continue
        return value
    return None
