"""The worked case of message lineage: session X, one route, three handlers, one of which fails once."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from relayna.events import (
    AggregationMessageReceived,
    Body,
    ChildFinished,
    RecordedEvent,
    TaskMessageReceived,
    WorkflowMessageReceived,
)
from relayna.ids import SessionId, TaskId
from relayna.projections.execution import GraphQuery
from relayna.projections.messages.message_row import MessageRow
from relayna.projections.messages.message_rows import MESSAGE_ROWS
from relayna.projections.projection import Item
from relayna.testing import history

__all__ = ["ROUTE", "SESSION", "in_session", "rows_by_task", "rows_of", "session_x"]

SESSION = SessionId("X")
ROUTE = "r1"
HANDLERS = {"L1": "a1", "L2": "a2", "L3": "a3"}
_RECEIVED = TaskMessageReceived | WorkflowMessageReceived | AggregationMessageReceived


def rows_of(items: Iterable[Item], root: str = "L1") -> list[MessageRow]:
    """The rows of a history."""
    state = MESSAGE_ROWS.initial(TaskId(root))
    for item in items:
        MESSAGE_ROWS.apply(state, item)
    return MESSAGE_ROWS.finish(state, GraphQuery()).rows


def rows_by_task(items: Iterable[Item], root: str = "L1") -> dict[str, MessageRow]:
    """The first row of each task."""
    found: dict[str, MessageRow] = {}
    for row in rows_of(items, root):
        found.setdefault(row.task_id, row)
    return found


def session_x() -> list[list[RecordedEvent]]:
    """What is recorded by then, step by step: a1 ends; L2a and L2b end; L2a again; L2c fails; L3a and L3b end."""
    steps: list[list[RecordedEvent]] = []
    first = history("L1").published().attempt()
    second = {name: first.spawns(name) for name in ("L2a", "L2b", "L2c")}
    steps.append(first.acked().events)
    again = second["L2a"].attempt()
    third = [again.spawns("L3a")]
    again.acked()
    other = second["L2b"].attempt()
    third.append(other.spawns("L3b"))
    steps.append(other.acked().events)
    repeated = again.repeated()
    scribe = repeated.task.scribe
    scribe.write(
        TaskId("L1"), repeated.attempt_id, ChildFinished(child_task_id=TaskId("L2a"), status="completed")
    )  # type: ignore[arg-type]
    steps.append(repeated.events)
    failing = second["L2c"].attempt().fails("KeyError", "'id'").retried().attempt()
    steps.append(failing.fails("KeyError", "'id'").dead_lettered().events)
    for last in third:
        last.attempt().acked()
    steps.append(first.events)
    return [in_session(step) for step in steps]


def in_session(events: Iterable[RecordedEvent]) -> list[RecordedEvent]:
    """The same on route r1 in session X, each level with its handler."""
    return [
        replace(
            event,
            envelope=replace(event.envelope, session_id=SESSION),
            body=_handled(event.body, event.envelope.task_id),
        )
        for event in events
    ]


def _handled(body: Body, task_id: TaskId) -> Body:
    if not isinstance(body, _RECEIVED):
        return body
    return replace(body, queue_name=ROUTE, consumer_name=HANDLERS.get(task_id[:2]))
