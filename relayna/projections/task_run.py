"""One task's history put together: its attempts, statuses, retries, dead letters, messages and children.

Owns the shape, and what can be asked of it. `gathering.py` fills it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from relayna.events import RecordedEvent
from relayna.ids import EventId, TaskId
from relayna.projections.attempts import Attempts
from relayna.projections.attribution import Attribution, Evidence, attribute
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.few import Few
from relayna.projections.graph import EdgeKind
from relayna.projections.logical_messages import LogicalMessage
from relayna.projections.ordering import PlacedEvent, place_events, sorted_places
from relayna.projections.reading import read_events
from relayna.projections.retries import Retry
from relayna.projections.statuses import Status

__all__ = ["Birth", "Child", "TaskRun"]


class Birth(Struct, frozen=True, gc=False):
    """From where an attempt came; `source` None is its message, else the task itself."""

    source: str | None
    kind: EdgeKind
    evidence: Evidence
    rule: str | None = None
    of_task: bool = False
    """It hangs on the task itself, even when it has a message."""


class Child(Struct, kw_only=True, gc=False):
    """What a parent's stream says of one child."""

    task_id: TaskId
    finished: PlacedEvent | None = None


class TaskRun:
    """One task's history, put together."""

    def __init__(self, task_id: TaskId, events: Mapping[EventId, RecordedEvent]) -> None:
        self.task_id = task_id
        self.placed, self.circular = place_events(events)
        self.ordered = sorted_places(self.placed)
        self.reading = read_events(self.ordered)
        self.attempts: Attempts = self.reading.attempts
        self.statuses: list[Status] = []
        self.retries: Few[Retry] = ()
        self.letters: Few[DeadLetter] = ()
        self.messages: dict[str, LogicalMessage] = {}
        self.children: dict[TaskId, Child] = {}
        self.opaque: Few[PlacedEvent] = ()
        self.losses: Few[PlacedEvent] = ()
        self.births: dict[str, Birth] = {}
        """By the attempt's ref."""

    def attribute(self, placed: PlacedEvent) -> Attribution:
        """The attempt that made this fact."""
        return attribute(self.attempts, placed, self.placed)

    def message_node(self, message_id: str | None) -> str | None:
        """The node of that logical message; none outside workflows."""
        message = self.messages.get(message_id) if message_id is not None else None
        return None if message is None else message.node_id
