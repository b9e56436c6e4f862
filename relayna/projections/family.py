"""A task and its descendants: who is whose child, as far down as was asked.

Owns the walk: breadth first, each task once, cycle-safe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct, field

from relayna.events import ChildFinished
from relayna.events.status import TERMINAL_STATUSES
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.projections.execution_state import ExecutionState
from relayna.projections.gathering import gather_task_run
from relayna.projections.kinship import Kinship, children_by_parent, referenced_children, runs_in_circle
from relayna.projections.task_run import TaskRun

__all__ = ["Family", "Kinship", "gather_family", "referenced_children"]


class Family(Struct, kw_only=True):
    """The tasks reached from a root, in the order in which they were reached."""

    runs: dict[TaskId, TaskRun] = field(default_factory=dict)
    """Those whose history is read, with the root first. A child without history has an empty one."""
    beyond: list[TaskId] = field(default_factory=list)
    """Children that were seen but lie deeper than was asked."""
    kinships: list[Kinship] = field(default_factory=list)
    circular: bool = False


def gather_family(
    state: ExecutionState,
    *,
    at: Instant | None,
    depth: int,
    related: Iterable[TaskId] = (),
    terminal_statuses: Collection[str] = TERMINAL_STATUSES,
) -> Family:
    """Walk from the root to its children, `depth` generations down, as of `at`.

    `related` are children that only the caller knows of; one that the records place elsewhere stays there.
    """
    walk = _Walk(state, at)
    walk.descend([state.root], depth)
    walk.adopt(related, depth)
    walk.end_kinships(terminal_statuses)
    walk.family.circular = runs_in_circle(walk.family.kinships)
    return walk.family


class _Walk:
    """One walk, with what it has met so far."""

    def __init__(self, state: ExecutionState, at: Instant | None) -> None:
        self._state = state
        self._at = at
        histories = {task_id: records.events for task_id, records in state.tasks.items()}
        self._by_parent = children_by_parent(histories, root=state.root, at=at)
        self._taken: set[str] = set()
        self._beyond: dict[TaskId, None] = {}
        self.family = Family()

    def descend(self, generation: list[TaskId], depth: int) -> None:
        """Read these tasks and `depth` generations below them."""
        for left in range(depth, -1, -1):
            for task_id in generation:
                self.family.runs[task_id] = self._run(task_id)
            children: dict[TaskId, None] = {}
            for parent in generation:
                for kinship in self._kinships(parent):
                    self.family.kinships.append(kinship)
                    if kinship.child not in self.family.runs:
                        children[kinship.child] = None
            if not left:
                self._beyond.update(children)
            generation = list(children)
            if not generation:
                break
        self.family.beyond = [task_id for task_id in self._beyond if task_id not in self.family.runs]

    def adopt(self, related: Iterable[TaskId], depth: int) -> None:
        """Those that were not met become children of the root."""
        root = self._state.root
        met = {*self.family.runs, *self._beyond}
        adopted = sorted(set(related) - met)
        for child in adopted:
            kinship = Kinship(parent=root, child=child, evidence="inferred", rule="related_task_ids")
            self.family.kinships.append(kinship)
        if not depth:
            self.family.beyond += adopted
        elif adopted:
            self.descend(adopted, depth - 1)

    def _run(self, task_id: TaskId) -> TaskRun:
        records = self._state.tasks.get(task_id)
        events = records.events if records else {}
        if self._at is not None:
            events = {
                own_id: event for own_id, event in events.items() if event.envelope.timestamp <= self._at
            }
        # Of many children that were not read there may be a hundred thousand.
        return gather_task_run(task_id, events, taken=self._taken) if events else TaskRun(task_id, events)

    def _kinships(self, parent: TaskId) -> Iterator[Kinship]:
        told = self.family.runs[parent].children
        said = self._by_parent.get(parent, ())
        if not told and not said:
            return
        for child in sorted({*told, *said}):
            kinship = Kinship(parent=parent, child=child)
            finished = told[child].finished if child in told else None
            if finished is not None and isinstance(finished.event.body, ChildFinished):
                kinship.parent_says_ended = True
                kinship.ended_at, kinship.ended_as = finished.time, finished.event.body.status
            yield kinship

    def end_kinships(self, terminal_statuses: Collection[str]) -> None:
        """Where the parent was not told of a child's end, the child's own latest status may say it."""
        for kinship in self.family.kinships:
            run = self.family.runs.get(kinship.child)
            if kinship.parent_says_ended or run is None or not run.statuses:
                continue
            latest = run.statuses[-1]
            if latest.text in terminal_statuses:
                kinship.ended_at, kinship.ended_as = latest.placed.time, latest.text
