"""What reading a stream tells beside its events: the facts about the stream itself.

Owns the shape that the log's readers fill in and the projections judge by. Pure data.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from relayna.ids import TaskId

__all__ = ["RecordWarning", "StreamFact", "StreamFactName"]

StreamFactName: TypeAlias = Literal[
    "topology_kind",  # the kind that a frame carries; `value` is the kind
    "trimmed",  # entries that were in the stream are not in it any more
    "expired",  # the stream is gone and its retention has passed
    "limit_reached",  # the reader stopped before the stream's end
]


class StreamFact(Struct, frozen=True, kw_only=True, gc=False):
    """Something true of a task's stream as a whole. Facts add up; repeats change nothing."""

    task_id: TaskId
    name: StreamFactName
    value: str | None = None


class RecordWarning(Struct, frozen=True, kw_only=True, gc=False):
    """A record of this task that could not be used as it is; it travels with the history into the answer."""

    task_id: TaskId
    code: str
    detail: str
