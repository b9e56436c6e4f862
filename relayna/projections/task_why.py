"""The answer to: why did it fail, or what does it wait for? Owns the shape only."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["Awaited", "AwaitedKind", "Cause", "CauseRole", "Failure", "TaskWhy"]

CauseRole: TypeAlias = Literal["cause", "bystander", "recovered"]
AwaitedKind: TypeAlias = Literal["retry", "message", "attempt", "child"]


class Awaited(Struct, frozen=True, kw_only=True):
    """Something that has to happen before the task can end."""

    kind: AwaitedKind
    """`retry`: its delay has to pass. `message`: published, and nobody received it. `attempt`: it runs.
    `child`: it has not ended."""
    node: str
    event_id: str
    task_id: str
    label: str
    since: str | None = None
    due_at: str | None = None
    """Of a retry, when its delay is over."""
    queue_name: str | None = None


class Failure(Struct, frozen=True, kw_only=True):
    """Something that failed, as the graph draws it."""

    node: str
    """The node's id in the graph."""
    event_id: str
    """The node's `ref`: the attempt's id, or the id of the event that it stands for."""
    task_id: str
    kind: str
    label: str
    at: str | None = None
    outcome: str | None = None
    exception_type: str | None = None
    exception_message: str | None = None
    queue_name: str | None = None
    stage: str | None = None


class Cause(Struct, frozen=True, kw_only=True):
    """A failure that no other one led to, and what followed from it."""

    failure: Failure
    role: CauseRole
    """`cause`: the task's own end follows from it. `bystander`: it ended something else, independently.
    `recovered`: what was tried again has worked."""
    took_down: list[Failure]
    """Failures that followed, in the order of the graph."""


class TaskWhy(Struct, frozen=True, kw_only=True):
    """The answer to: why?"""

    task_id: str
    status: str | None
    has_failed: bool
    """The task itself ended in failure."""
    sentence: str
    """All of it in one sentence, for people."""
    causes: list[Cause]
    bystanders: list[Cause]
    recovered: list[Cause]
    waits_for: list[Awaited]
    """Empty once the task has ended."""
    graph_completeness: str
    """`partial` says that a cause may be among what is missing."""

    @property
    def found_failure(self) -> bool:
        """Whether anything failed for good: a failure that was tried again with success is none."""
        return self.has_failed or bool(self.causes or self.bystanders)
