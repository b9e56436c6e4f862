"""Facts as somebody told them, and the runs that come of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from relayna.events import Envelope, RecordedEvent
from relayna.ids import EventId, SessionId, TaskId
from relayna.instants import Instant
from relayna.projections.execution import GraphQuery
from relayna.projections.lineage.run_edges import RunLineage
from relayna.projections.lineage.run_lineage import RUN_LINEAGE

__all__ = ["lineage", "told"]


def told(
    task_id: str, at: int, body: Any, name: str, *, session: str | None = "S", **envelope: Any
) -> RecordedEvent:
    """An event of a task, so many seconds after zero."""
    known = Envelope(
        event_id=EventId(name),
        timestamp=Instant(at * 1_000_000),
        task_id=TaskId(task_id),
        session_id=SessionId(session) if session else None,
        **envelope,
    )
    return RecordedEvent(envelope=known, body=body)


def lineage(events: Iterable[RecordedEvent]) -> RunLineage:
    """What is known after these, in this order."""
    state = RUN_LINEAGE.initial(TaskId("R1"))
    for event in events:
        RUN_LINEAGE.apply(state, event)
    return RUN_LINEAGE.finish(state, GraphQuery())
