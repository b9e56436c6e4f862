"""Who is whose child: what parents' streams say, what children say themselves, and what a caller knows.

Owns the edge between a child and its parent, and whether such edges run in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from relayna.events import ChildFinished, ChildRegistered, RecordedEvent
from relayna.events.vocabulary import STATUS_TYPES
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.attribution import OBSERVED, Evidence

__all__ = [
    "Kinship",
    "children_by_parent",
    "first_parent_told",
    "parent_told_by",
    "referenced_children",
    "runs_in_circle",
]


class Kinship(Struct, kw_only=True, gc=False):
    """One child of one parent, and the child's end when it is known."""

    parent: TaskId
    child: TaskId
    evidence: Evidence = OBSERVED
    rule: str | None = None
    ended_at: Instant | None = None
    ended_as: str | None = None
    parent_says_ended: bool = False


def referenced_children(events: Iterable[RecordedEvent]) -> set[TaskId]:
    """The children that a task's own stream speaks of."""
    bodies = (event.body for event in events)
    return {body.child_task_id for body in bodies if isinstance(body, ChildRegistered | ChildFinished)}


def parent_told_by(event: RecordedEvent) -> TaskId | None:
    """The parent that an event names: in its envelope, or in a status's `meta`, whoever wrote it."""
    envelope, body = event.envelope, event.body
    parent: object = envelope.parent_task_id
    if parent is None and isinstance(body, STATUS_TYPES) and body.meta:
        parent = body.meta.get("parent_task_id")
    if not isinstance(parent, str) or not parent or parent == envelope.task_id:
        return None
    return TaskId(parent)


def first_parent_told(events: Iterable[RecordedEvent]) -> TaskId | None:
    """The parent that the first of the events to name one names."""
    for event in events:
        # Asked of every event of a task, most of which can name none.
        if event.envelope.parent_task_id is not None or (
            isinstance(event.body, STATUS_TYPES) and event.body.meta
        ):
            parent = parent_told_by(event)
            if parent is not None:
                return parent
    return None


def children_by_parent(
    histories: Mapping[TaskId, Mapping[EventId, RecordedEvent]], *, root: TaskId, at: Instant | None
) -> dict[TaskId, set[TaskId]]:
    """What the children themselves say, as of `at`."""
    found: dict[TaskId, set[TaskId]] = {}
    for task_id, events in histories.items():
        if task_id == root:
            continue
        told: TaskId | None = None
        for event in events.values():
            # Nearly all of them name the same one.
            if event.envelope.parent_task_id == told and told is not None:
                continue
            parent = parent_told_by(event)
            if parent is not None and (at is None or event.envelope.timestamp <= at):
                found.setdefault(parent, set()).add(task_id)
                told = parent
    return found


def runs_in_circle(kinships: Collection[Kinship]) -> bool:
    """Whether some task is a descendant of itself: taking away childless ones again and again leaves some."""
    parents: dict[TaskId, list[TaskId]] = {}
    children_left: dict[TaskId, int] = {}
    for kinship in kinships:
        parents.setdefault(kinship.child, []).append(kinship.parent)
        children_left[kinship.parent] = children_left.get(kinship.parent, 0) + 1
        children_left.setdefault(kinship.child, 0)
    childless = [task_id for task_id, left in children_left.items() if not left]
    taken = 0
    while childless:
        taken += 1
        for parent in parents.get(childless.pop(), ()):
            children_left[parent] -= 1
            if not children_left[parent]:
                childless.append(parent)
    return taken < len(children_left)
