"""Rows of messages, of a task and all tasks that its history was read with.

Owns the fold: names, sessions, hashes and counts of children. Which attempts are one row is in `handlings.py`, from
whom it came in `parentage.py`, how it stands in `handling_ends.py`.

`done` is said of a row only where all numbers of its attempts are there, from the first to that of their end. What an
attempt registered has a smaller number than its end, so whoever sees the end sees every child.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from relayna.events import (
    AggregationMessageReceived,
    TaskMessageReceived,
    WorkflowMessageReceived,
)
from relayna.ids import TaskId
from relayna.instants import UNTIMED, Instant
from relayna.projections.chosen_kind import chosen_kind
from relayna.projections.execution import GraphQuery
from relayna.projections.execution_state import ExecutionState, TaskRecords, apply, initial, restore, snapshot
from relayna.projections.gathering import gather_task_run
from relayna.projections.messages.handling_ends import is_whole, standing_of
from relayna.projections.messages.handlings import Handling, TaskHandlings, gather_handlings
from relayna.projections.messages.message_row import MessageRow, MessageRows
from relayna.projections.messages.parentage import find_parents
from relayna.projections.projection import Projection

__all__ = ["MESSAGE_ROWS", "MessageRowsProjection"]

_KINDS: Final[dict[type, str]] = {
    TaskMessageReceived: "task",
    WorkflowMessageReceived: "workflow",
    AggregationMessageReceived: "aggregation",
}

MessageRowsProjection: TypeAlias = Projection[ExecutionState, GraphQuery, MessageRows]


def _finish(state: ExecutionState, query: GraphQuery) -> MessageRows:
    """Of the query, `at` matters: what is in the history is in the answer."""
    tasks: dict[TaskId, TaskHandlings] = {}
    for task_id, records in sorted(state.tasks.items()):
        events = {
            own: event
            for own, event in records.events.items()
            if query.at is None or event.envelope.timestamp <= query.at
        }
        if events:
            tasks[task_id] = gather_handlings(gather_task_run(task_id, events))
    return MessageRows(rows=_Rows(state, tasks).told())


MESSAGE_ROWS: Final[MessageRowsProjection] = Projection(
    name="message_rows",
    version=1,
    initial=initial,
    apply=apply,
    finish=_finish,
    snapshot=snapshot,
    restore=restore,
)
"""The projection."""


class _Rows:
    """All handlings of a history, and what only all of them can tell of each. By position, in order."""

    def __init__(self, state: ExecutionState, tasks: Mapping[TaskId, TaskHandlings]) -> None:
        self._state = state
        self._tasks = tasks
        self._found = find_parents(tasks)
        position = {id(handling): number for number, handling in enumerate(self._found)}
        self._parents = [None if one.parent is None else position[id(one.parent)] for one in self._found]
        self._ends = [standing_of(one, tasks.get(one.task_id)) for one in self._found]
        self._whole = [
            is_whole(one, records.facts) if (records := state.tasks.get(one.task_id)) else False
            for one in self._found
        ]
        self._names = _names(self._found)
        self._top_down = _top_down(self._parents)
        self._sessions = self._all_sessions()
        self._pending = [0] * len(self._found)
        for number, one in enumerate(self._found):
            parent = self._parents[number]
            if parent is not None and one.registered and not self._is_over(number):
                self._pending[parent] += 1
        self._settled = self._all_settled()

    def told(self) -> list[MessageRow]:
        return [self._row(number, one) for number, one in enumerate(self._found)]

    def _is_over(self, number: int) -> bool:
        return self._ends[number].ended_once or self._found[number].finished is not None

    def _is_done(self, number: int) -> bool:
        completed = self._ends[number].status == "completed"
        return completed and self._whole[number] and not self._pending[number]

    def _all_settled(self) -> list[bool]:
        """Of each, whether it and all that came of it is over, and known to be."""
        settled = [
            self._ends[number].status != "pending" and self._whole[number] and not self._pending[number]
            for number in range(len(self._found))
        ]
        for number in reversed(self._top_down):
            parent = self._parents[number]
            if parent is not None and self._found[number].registered and not settled[number]:
                settled[parent] = False
        return settled

    def _all_sessions(self) -> list[str]:
        sessions = [""] * len(self._found)
        for number in self._top_down:
            one, parent = self._found[number], self._parents[number]
            inherited = one.task_id if parent is None else sessions[parent]
            sessions[number] = _session_told(one, self._tasks.get(one.task_id)) or inherited
        return sessions

    def _replayed_in(self, one: Handling) -> str | None:
        """The batch that a replay from a stage put it into; it comes from outside then."""
        task = self._tasks.get(one.task_id) if one.parent is None else None
        return None if task is None else task.replayed_in

    def _row(self, number: int, one: Handling) -> MessageRow:
        end, parent = self._ends[number], self._parents[number]
        given = [contents.given for contents in one.contents if contents.given]
        returned = [contents.returned for contents in one.contents if contents.returned]
        done = self._is_done(number)
        batch_ids = (getattr(attempt.received, "batch_id", None) for attempt in one.attempts)
        asked_for = one.asked.event.body if one.asked is not None else None
        return MessageRow(
            id=self._names[number],
            session_id=self._sessions[number],
            task_id=one.task_id,
            route=one.place,
            handler=_handler(one),
            parent_id=None if parent is None else self._names[parent],
            status=end.status,
            attempts=len(one.attempts),
            input_hash=_last(body.input_hash for body in given),
            output_hash=_last(body.output_hash for body in returned) if end.status == "completed" else None,
            error=end.error,
            started_at=_started(one),
            completed_at=end.at,
            batch_id=_last(
                (
                    self._replayed_in(one),
                    getattr(asked_for, "batch_id", None),
                    *(body.batch_id for body in given),
                    *batch_ids,
                )
            ),
            pending_children=self._pending[number],
            done=done,
            subtree_done=done and self._settled[number],
            metadata=_metadata(one, self._state.tasks.get(one.task_id)),
        )


def _names(found: Iterable[Handling]) -> list[str]:
    """The messages' own ids; where one is taken, with the place, the task and at last a number behind it."""
    taken: set[str] = set()
    names: list[str] = []
    for one in found:
        own = one.message_id or _own_name(one)
        placed = f"{own}@{one.place}"
        choices = [own, placed, f"{placed}@{one.task_id}"]
        name = next((choice for choice in choices if choice not in taken), None)
        number = 2
        while name is None:
            counted = f"{choices[-1]}@{number}"
            name, number = (None if counted in taken else counted), number + 1
        taken.add(name)
        names.append(name)
    return names


def _own_name(one: Handling) -> str:
    """Of a message without an id: the attempt's, or the word that asked for it."""
    if one.attempts:
        return one.attempts[0].ref
    return one.asked.own_id if one.asked is not None else one.key[2]


def _top_down(parents: list[int | None]) -> list[int]:
    """Every position, parents before children, without recursion."""
    children: dict[int | None, list[int]] = {}
    for number, parent in enumerate(parents):
        children.setdefault(parent, []).append(number)
    ordered = list(children.get(None, ()))
    for number in ordered:
        ordered += children.get(number, ())
    return ordered


def _session_told(one: Handling, task: TaskHandlings | None) -> str | None:
    placed = [attempt.opened for attempt in one.attempts if attempt.opened]
    placed += [one.asked] if one.asked is not None else []
    told = next((at.event.envelope.session_id for at in placed if at.event.envelope.session_id), None)
    return told or (None if task is None else task.session_id)


def _handler(one: Handling) -> str | None:
    consumers = (attempt.received.consumer_name if attempt.received else None for attempt in one.attempts)
    named = (contents.given.handler for contents in one.contents if contents.given)
    told: str | None = _last(named) or _last(consumers)
    return told


def _started(one: Handling) -> Instant | None:
    begun = one.attempts[0].begun if one.attempts else UNTIMED
    return None if begun == UNTIMED else begun


def _metadata(one: Handling, records: TaskRecords | None) -> dict[str, Any]:  # Any: JSON values
    received = [attempt.received for attempt in one.attempts if attempt.received]
    given = [contents.given for contents in one.contents if contents.given]
    asked_for = one.asked.event.body if one.asked is not None else None
    facts = () if records is None else records.facts
    kinds = [fact.value for fact in facts if fact.name == "topology_kind" and fact.value]
    told = {
        "task_type": _last(getattr(body, "task_type", None) for body in (asked_for, *received)),
        "consumer_name": _last(body.consumer_name for body in received),
        "queue_name": _last(body.queue_name for body in (*given, *received)),
        # How it came first: a retry comes from its waiting queue.
        "exchange": _first((getattr(asked_for, "exchange", None), *(body.exchange for body in given))),
        "routing_key": _first((*(body.routing_key for body in given), *(body.routing_key for body in received))),
        "payload_bytes": _last(body.payload_bytes for body in given),
        "storage_key": _last(body.storage_key for body in given),
        "kind": _last(_KINDS.get(type(body)) for body in received),
        "topology_kind": chosen_kind(kinds) if kinds else None,
        "replays": max((body.replay_count for body in received), default=0) or None,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _first(values: Iterable[Any]) -> Any:  # Any: whatever they are
    return next((value for value in values if value is not None), None)


def _last(values: Iterable[Any]) -> Any:  # Any: whatever they are
    found = None
    for value in values:
        found = found if value is None else value
    return found
