"""What a parent's stream says of its children. Owns shapes only; fields are append-only."""

from __future__ import annotations

from msgspec import Struct

from relayna.ids import MessageId, TaskId

__all__ = ["ChildFinished", "ChildRegistered"]


class ChildRegistered(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """This task has that child. In the stream before the child is published."""

    child_task_id: TaskId
    message_id: MessageId | None = None
    task_type: str | None = None


class ChildFinished(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """That child reached an end; `status` is its terminal status, or `dead_lettered`."""

    child_task_id: TaskId
    status: str | None = None
