"""Handlers that wait: for how long they did, and for whom.

Owns where a wait is told, which is the edge that ended it, and what is left of an attempt without its waits. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from relayna.events import RecordedEvent, RunEdgeRecorded
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.trace.spans import Wait

__all__ = ["WAITED_MS", "waits_told", "worked_between"]

WAITED_MS = "waited_ms"
"""In the metadata of an edge that ends a wait of its target: how long that was."""
_ENDING = ("timer_fire", "ctx_ask_user", "resume")
_LONGEST_MS = 2**43


def waits_told(events: Iterable[RecordedEvent]) -> list[Wait]:
    """Every wait that a handler came back from, each once, in the order in which they are told."""
    found: dict[tuple[TaskId, EventId], Wait] = {}
    for event in events:
        envelope, body = event.envelope, event.body
        if not isinstance(body, RunEdgeRecorded) or body.kind not in _ENDING:
            continue
        length = (body.metadata or {}).get(WAITED_MS)
        # An edge is told in the stream of its other end too.
        if envelope.task_id != body.target_run or type(length) is not int or not 0 < length < _LONGEST_MS:
            continue
        wait = Wait(
            data_id=body.target_run,
            start=Instant(envelope.timestamp - length * 1_000),
            end=envelope.timestamp,
            woken_by=body.source_run if body.source_run != body.target_run else None,
        )
        found.setdefault((envelope.task_id, envelope.event_id), wait)
    return list(found.values())


def worked_between(start: Instant, end: Instant, waits: Iterable[Wait]) -> list[tuple[Instant, Instant]]:
    """The parts of this time that lie in no wait; one without a length where there is none.

    >>> worked_between(Instant(0), Instant(9), [Wait(data_id="order", start=Instant(2), end=Instant(6))])
    [(0, 2), (6, 9)]
    """
    parts, at = [], start
    for wait in sorted(waits, key=lambda one: (one.start, one.end)):
        until = min(wait.start, end)
        if until > at:
            parts.append((at, until))
        at = max(at, wait.end)
    if end > at:
        parts.append((at, end))
    return parts or [(start, start)]
