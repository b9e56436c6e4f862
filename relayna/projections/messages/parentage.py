"""From which handling each message came, within a task and across tasks.

Owns the rules, in their order: who registered it; else the attempt that its recorded cause names; else the stage
attempt that sent it; else the attempt that asked for it to be handled again. A circle is cut at its first member.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from relayna.events import ChildRegistered
from relayna.ids import EventId, TaskId
from relayna.projections.fact_ids import attempt_named_by, cause_of
from relayna.projections.messages.handlings import Handling, TaskHandlings
from relayna.projections.ordering import PlacedEvent

__all__ = ["find_parents"]


class _Registration(Struct, frozen=True, gc=False):
    """An attempt has told that a message is under way, or will be."""

    placed: PlacedEvent
    by: Handling
    task_id: TaskId
    message_id: str | None = None
    stage: str | None = None


def find_parents(tasks: Mapping[TaskId, TaskHandlings]) -> list[Handling]:
    """All handlings in order, each with its parent, those included that were registered and are not there yet."""
    finder = _Finder(tasks)
    for registration in sorted(_registrations(tasks.values()), key=lambda one: (one.placed.key, one.task_id)):
        finder.register(registration)
    finder.infer()
    found = sorted(finder.found, key=_rank)
    _cut_circles(found)
    return found


class _Finder:
    """What registrations and causes are looked up in."""

    def __init__(self, tasks: Mapping[TaskId, TaskHandlings]) -> None:
        self._tasks = tasks
        self.found = [handling for task in tasks.values() for handling in task.found]
        self._of_attempt: dict[str, Handling] = {}
        self._by_message: dict[tuple[TaskId, str], list[Handling]] = {}
        self._by_cause: dict[EventId, Handling] = {}
        self._of_task: dict[TaskId, Handling] = {}
        for task in tasks.values():
            for ref, handling in task.of_attempt.items():
                self._of_attempt.setdefault(ref, handling)
        for handling in self.found:
            self._index(handling)

    def register(self, told: _Registration) -> None:
        targets = self._targets(told)
        if not targets:
            waiting = Handling(
                task_id=told.task_id,
                message_id=told.message_id,
                place=told.stage,
                key=told.placed.key,
                asked=told.placed,
            )
            self.found.append(waiting)
            self._index(waiting)
            targets = [waiting]
        for handling in targets:
            if handling.parent is None and handling is not told.by:
                handling.parent, handling.registered = told.by, True
                handling.finished = self._finish_told(told)

    def infer(self) -> None:
        """Where nobody registered it, what else is known of its coming."""
        for handling in self.found:
            if handling.parent is None and handling.attempts:
                parent = self._by_first_attempt(handling)
                if parent is not None and parent is not handling:
                    handling.parent = parent

    def _index(self, handling: Handling) -> None:
        if handling.message_id is not None:
            self._by_message.setdefault((handling.task_id, handling.message_id), []).append(handling)
        cause = _first_cause(handling)
        if cause is not None:
            self._by_cause.setdefault(cause, handling)
        first = self._of_task.setdefault(handling.task_id, handling)
        if handling.key < first.key:
            self._of_task[handling.task_id] = handling

    def _targets(self, told: _Registration) -> list[Handling]:
        if told.message_id is not None:
            return self._by_message.get((told.task_id, told.message_id), [])
        caused = self._by_cause.get(told.placed.own_id)
        if caused is None and told.task_id != told.by.task_id:
            caused = self._of_task.get(told.task_id)
        return [] if caused is None else [caused]

    def _finish_told(self, told: _Registration) -> PlacedEvent | None:
        child = self._tasks[told.by.task_id].run.children.get(told.task_id)
        return None if child is None else child.finished

    def _by_first_attempt(self, handling: Handling) -> Handling | None:
        task, cause = self._tasks[handling.task_id], _first_cause(handling)
        if cause is not None:
            named = attempt_named_by(cause)
            found = task.of_attempt.get(named) or self._of_attempt.get(named) or task.of_attempt.get(cause)
            if found is not None:
                return found
        message = task.run.messages.get(handling.message_id) if handling.message_id is not None else None
        if message is not None and message.origin.attempt is not None:
            return task.of_attempt.get(message.origin.attempt.ref)
        birth = task.run.births[handling.attempts[0].ref]
        return task.of_node.get(birth.source or "") if birth.kind == "manual_retry_to" else None


def _registrations(tasks: Iterable[TaskHandlings]) -> Iterator[_Registration]:
    for task in tasks:
        run = task.run
        for placed in run.ordered:
            body, attempt_id = placed.event.body, placed.event.envelope.attempt_id
            by = task.of_attempt.get(attempt_id) if attempt_id is not None else None
            if by is not None and isinstance(body, ChildRegistered) and body.child_task_id != run.task_id:
                yield _Registration(placed, by, body.child_task_id, body.message_id)
        for message in run.messages.values():
            maker = message.origin.attempt
            by = task.of_attempt.get(maker.ref) if maker is not None else None
            if by is not None and message.published is not None:
                yield _Registration(
                    message.published, by, run.task_id, message.message_id, message.stages()[0]
                )
        yield from _manual_retries(task)


def _manual_retries(task: TaskHandlings) -> Iterator[_Registration]:
    """Whoever asks for another handling is told of by its own end, which the new message names as its cause."""
    for attempt in task.run.attempts.members:
        by = task.of_attempt.get(attempt.ref)
        if by is not None and attempt.outcome.name == "manual_retry" and attempt.observed and attempt.closing:
            yield _Registration(attempt.closing, by, task.run.task_id)


def _first_cause(handling: Handling) -> EventId | None:
    opened = handling.attempts[0].opened if handling.attempts else None
    return None if opened is None else cause_of(opened.event.envelope)


def _rank(handling: Handling) -> tuple[object, ...]:
    return handling.key, handling.task_id, handling.message_id or "", handling.place or ""


def _cut_circles(found: Iterable[Handling]) -> None:
    """Walk up from each, every handling once."""
    settled: set[int] = set()
    for start in found:
        path: list[Handling] = []
        on_path: set[int] = set()
        at: Handling | None = start
        while at is not None and id(at) not in settled and id(at) not in on_path:
            path.append(at)
            on_path.add(id(at))
            at = at.parent
        if at is not None and id(at) in on_path:
            first = min(path[path.index(at) :], key=_rank)
            first.parent, first.registered = None, False
        settled |= on_path
