"""A task and its descendants: who is whose child, as far down as was asked.

Owns the walk: breadth first, each task once, cycle-safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from relayna.events import ChildFinished, ChildRegistered, RecordedEvent
from relayna.events.status import TERMINAL_STATUSES
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.projections.attribution import OBSERVED, Evidence
from relayna.projections.execution_state import ExecutionState
from relayna.projections.task_run import TaskRun, gather_task_run

__all__ = ["Family", "Kinship", "gather_family", "referenced_children"]


class Kinship(Struct, kw_only=True, gc=False):
    """One child of one parent, and the child's end when it is known."""

    parent: TaskId
    child: TaskId
    evidence: Evidence = OBSERVED
    rule: str | None = None
    ended_at: Instant | None = None
    ended_as: str | None = None
    parent_says_ended: bool = False


class Family(Struct, kw_only=True):
    """The tasks reached from a root, in the order in which they were reached."""

    runs: dict[TaskId, TaskRun] = field(default_factory=dict)
    """Those whose history is read, with the root first. A child without history has an empty one."""
    beyond: list[TaskId] = field(default_factory=list)
    """Children that were seen but lie deeper than was asked."""
    kinships: list[Kinship] = field(default_factory=list)
    circular: bool = False


def referenced_children(events: Iterable[RecordedEvent]) -> set[TaskId]:
    """The children that a task's own stream speaks of."""
    bodies = (event.body for event in events)
    return {body.child_task_id for body in bodies if isinstance(body, ChildRegistered | ChildFinished)}


def gather_family(
    state: ExecutionState, *, at: Instant | None, depth: int, related: Iterable[TaskId] = ()
) -> Family:
    """Walk from the root to its children, `depth` generations down, as of `at`."""
    walk = _Walk(state, at)
    walk.related = tuple(related)
    generation = [state.root]
    for level in range(depth + 1):
        generation = walk.generation(generation, last=level == depth)
        if not generation:
            break
    return walk.family


class _Walk:
    def __init__(self, state: ExecutionState, at: Instant | None) -> None:
        self._state = state
        self._at = at
        self._by_parent = _children_by_parent(state, at)
        self._parents: dict[TaskId, list[TaskId]] = {}
        self.family = Family()
        self.related: tuple[TaskId, ...] = ()

    def generation(self, members: list[TaskId], *, last: bool) -> list[TaskId]:
        """Read these tasks; their children, unless this is the last generation asked for."""
        for task_id in members:
            self.family.runs[task_id] = self._run(task_id)
        children: dict[TaskId, None] = {}
        for parent in members:
            for kinship in self._kinships(parent):
                self.family.kinships.append(kinship)
                self._parents.setdefault(kinship.child, []).append(parent)
                if kinship.child not in self.family.runs:
                    children[kinship.child] = None
                elif self._is_ancestor(kinship.child, parent):
                    self.family.circular = True
        if last:
            self.family.beyond = list(children)
            self._end_kinships()
            return []
        if not children:
            self._end_kinships()
        return list(children)

    def _run(self, task_id: TaskId) -> TaskRun:
        records = self._state.tasks.get(task_id)
        events = records.events if records else {}
        if self._at is not None:
            events = {
                own_id: event for own_id, event in events.items() if event.envelope.timestamp <= self._at
            }
        return gather_task_run(task_id, events)

    def _kinships(self, parent: TaskId) -> Iterator[Kinship]:
        told = self.family.runs[parent].children
        related = set(self.related) - {parent} if parent == self._state.root else set()
        own_word = self._by_parent.get(parent, set())
        for child in sorted({*told, *own_word, *related}):
            if child in told or child in own_word:
                kinship = Kinship(parent=parent, child=child)
            else:
                kinship = Kinship(parent=parent, child=child, evidence="inferred", rule="related_task_ids")
            finished = told[child].finished if child in told else None
            if finished is not None and isinstance(finished.event.body, ChildFinished):
                kinship.parent_says_ended = True
                kinship.ended_at, kinship.ended_as = finished.time, finished.event.body.status
            yield kinship

    def _is_ancestor(self, task_id: TaskId, of: TaskId) -> bool:
        seen, open_ones = {of}, [of]
        while open_ones:
            current = open_ones.pop()
            if current == task_id:
                return True
            for parent in self._parents.get(current, ()):
                if parent not in seen:
                    seen.add(parent)
                    open_ones.append(parent)
        return False

    def _end_kinships(self) -> None:
        """Where the parent was not told of a child's end, the child's own terminal status says it."""
        for kinship in self.family.kinships:
            run = self.family.runs.get(kinship.child)
            if kinship.ended_at is not None or run is None:
                continue
            ends = [status for status in run.statuses if status.text in TERMINAL_STATUSES]
            if ends:
                kinship.ended_at, kinship.ended_as = ends[-1].placed.time, ends[-1].text


def _children_by_parent(state: ExecutionState, at: Instant | None) -> dict[TaskId, set[TaskId]]:
    """What the children themselves say: their events name their parent."""
    found: dict[TaskId, set[TaskId]] = {}
    for task_id, records in state.tasks.items():
        if task_id == state.root:
            continue
        for event in records.events.values():
            parent = event.envelope.parent_task_id
            if parent is not None and parent != task_id and (at is None or event.envelope.timestamp <= at):
                found.setdefault(parent, set()).add(task_id)
    return found
