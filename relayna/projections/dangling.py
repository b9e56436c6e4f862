"""Facts that others tell of a task, and what they name that is nowhere in its history.

Such a fact proves that there was something before it: a straggler that began an expired stream anew must not
look like the beginning of a task. Owns which facts prove it; says no reason.
"""

from __future__ import annotations

from typing import Final

from relayna.events import Body, ChildFinished, ChildRegistered, DeadLetterReplayed, StatusPublished
from relayna.ids import TaskId
from relayna.projections.fact_ids import attempt_named_by, cause_of, is_copy
from relayna.projections.ordering import PlacedEvent
from relayna.projections.task_run import TaskRun

__all__ = ["dangling_facts"]

_LOOKED_FOR: Final[frozenset[type[Body]]] = frozenset({ChildRegistered, ChildFinished, DeadLetterReplayed})


def dangling_facts(run: TaskRun, *, observed: bool) -> list[PlacedEvent]:
    """In order: the end of a child that was never registered, the replay of a dead letter where there is none
    and, when workers told anything (`observed`), a status of an attempt that is not here.

    Where workers record nothing, statuses name attempts that nobody was to tell of.
    """
    registered: set[TaskId] = set()
    ended: list[tuple[TaskId, PlacedEvent]] = []
    found: list[PlacedEvent] = []
    for placed in run.reading.others:
        body = placed.event.body
        if type(body) not in _LOOKED_FOR:
            continue
        if isinstance(body, ChildRegistered):
            registered.add(body.child_task_id)
        elif isinstance(body, ChildFinished) and is_copy(placed.event.envelope):
            ended.append((body.child_task_id, placed))
        elif isinstance(body, DeadLetterReplayed) and not run.letters:
            found.append(placed)
    found += [placed for child, placed in ended if child not in registered]
    for placed in run.reading.outside if observed else ():
        if isinstance(placed.event.body, StatusPublished) and _is_of_an_absent_attempt(run, placed):
            found.append(placed)
    return sorted(found)


def _is_of_an_absent_attempt(run: TaskRun, placed: PlacedEvent) -> bool:
    envelope = placed.event.envelope
    cause = cause_of(envelope)
    if cause is None or cause in run.placed:
        return False
    return cause.rpartition(".")[2].isdecimal() and run.attempts.with_id(attempt_named_by(cause)) is None
