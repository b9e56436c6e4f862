"""Which tasks are of a session: those that say so, and those that say nothing and were asked for by one of it.

Owns that rule. Pure, and linear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from relayna.events import ChildRegistered, RecordedEvent
from relayna.ids import TaskId
from relayna.projections.kinship import parent_told_by

__all__ = ["SessionEvents", "events_of_session"]


class SessionEvents(Struct, frozen=True, kw_only=True):
    """A session, and all that is recorded of its tasks."""

    session_id: str
    events: list[RecordedEvent]


def events_of_session(asked: TaskId, events: Iterable[RecordedEvent]) -> SessionEvents:
    """The session of the task that was asked for, out of what was read of it and its relatives."""
    events = list(events)
    told: dict[TaskId, str] = {}
    parents: dict[TaskId, TaskId] = {}
    for event in events:
        envelope, body = event.envelope, event.body
        if envelope.session_id and envelope.task_id not in told:
            told[envelope.task_id] = envelope.session_id
        if (parent := parent_told_by(event)) is not None:
            parents.setdefault(envelope.task_id, parent)
        if isinstance(body, ChildRegistered):
            parents.setdefault(body.child_task_id, envelope.task_id)
    session_id = _session_of(asked, told, parents)
    sessions: dict[TaskId, str] = {}
    for event in events:
        task_id = event.envelope.task_id
        if task_id not in sessions:
            sessions[task_id] = _session_of(task_id, told, parents)
    mine = [event for event in events if sessions[event.envelope.task_id] == session_id]
    return SessionEvents(session_id=session_id, events=mine)


def _session_of(task_id: TaskId, told: dict[TaskId, str], parents: Mapping[TaskId, TaskId]) -> str:
    """What it says itself, else its nearest ancestor that says anything; else it is the first of its own."""
    passed = [task_id]
    seen = {task_id}
    while passed[-1] not in told:
        parent = parents.get(passed[-1])
        if parent is None or parent in seen:
            break
        passed.append(parent)
        seen.add(parent)
    session_id = told.get(passed[-1], str(passed[-1]))
    told.update(dict.fromkeys(passed, session_id))  # the next one of them is answered at once
    return session_id
