"""How tasks led to one another, and what that took: children, edges between runs, usage.

Owns shapes only; fields are append-only.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from relayna.ids import MessageId, TaskId

__all__ = ["ChildFinished", "ChildRegistered", "DecisionRecorded", "RunEdgeRecorded", "UsageRecorded"]


class ChildRegistered(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """This task has that child. In the stream before the child is published."""

    child_task_id: TaskId
    message_id: MessageId | None = None
    task_type: str | None = None
    variant: str | None = None
    """How it was asked for, where not simply: `handoff` or `a2a_message`."""
    group_key: str | None = None
    """However often the parent is handled, it has one child by this name."""
    label: str | None = None


class ChildFinished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """That child reached an end; `status` is its terminal status, or `dead_lettered`."""

    child_task_id: TaskId
    status: str | None = None


class RunEdgeRecorded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """One task led to another, or to itself, in a way that no other event tells. In the streams of both."""

    kind: str
    """One of the kinds in `relayna/projections/lineage/run_edges.py`."""
    target_run: TaskId
    """The task that it leads to."""
    source_run: TaskId | None = None
    """The task that it comes from; none from outside."""
    wakes: bool = False
    """Of a `domain_callback`: it woke the target, and did not start it."""
    variant: str | None = None
    """Of a `spawn`: `handoff` or `a2a_message`."""
    group_key: str | None = None
    label: str | None = None
    cost_attributed: int = 0
    """Millionths of a dollar."""
    tokens_attributed: int = 0
    metadata: dict[str, Any] | None = None  # Any: the user's own JSON object


class UsageRecorded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """What the envelope's attempt has used since it told that last."""

    cost: int = 0
    """Millionths of a dollar."""
    tokens: int = 0
    label: str | None = None
    """On what, in the handler's own words."""


class DecisionRecorded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """Something that guards runs has decided about the envelope's attempt."""

    action: str
    """From the mildest to the worst: `allow`, `skip`, `warn`, `retry`, `redact`, `throttle`, `block`."""
    rule: str | None = None
    """Which rule decided, by its own name."""
    reason: str | None = None
