"""What travels in message bodies, as JSON: tasks, batches of them, statuses and workflow messages.

Owns the four shapes and how they are read. Unknown fields are ignored, so newer producers do no harm.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, field

from relayna.consumer.messages.payloads import check_numbers_in, unwritable
from relayna.errors import RelaynaError
from relayna.ids import MessageId, SessionId, TaskId

__all__ = [
    "BatchTaskEnvelope",
    "MalformedMessage",
    "StatusEnvelope",
    "TaskEnvelope",
    "WorkflowEnvelope",
    "encode_body",
    "read_batch",
    "read_body",
]


class TaskEnvelope(Struct, kw_only=True, omit_defaults=True):
    """A task: what a handler gets."""

    task_id: TaskId
    payload: Any = None  # Any: the user's own JSON value
    task_type: str | None = None
    correlation_id: str | None = None
    parent_task_id: TaskId | None = None
    session_id: SessionId | None = None
    meta: dict[str, Any] = field(default_factory=dict)  # Any: the user's own JSON object


class BatchTaskEnvelope(Struct, kw_only=True, omit_defaults=True):
    """Many tasks in one message; `correlation_id` and `meta` hold for each that does not say otherwise."""

    batch_id: str
    tasks: list[TaskEnvelope]
    correlation_id: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)  # Any: the user's own JSON object


class StatusEnvelope(Struct, kw_only=True, omit_defaults=True):
    """A status of a task; what an aggregation handler gets of a child."""

    task_id: TaskId
    status: str
    message: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)  # Any: the user's own JSON object
    timestamp: str | None = None
    """ISO 8601, when the status was published."""
    correlation_id: str | None = None
    parent_task_id: TaskId | None = None
    session_id: SessionId | None = None
    stage: str | None = None


class WorkflowEnvelope(Struct, kw_only=True, omit_defaults=True):
    """A workflow message: what a stage's handler gets."""

    task_id: TaskId
    message_id: MessageId | None = None
    stage: str | None = None
    origin_stage: str | None = None
    payload: Any = None  # Any: the user's own JSON value
    correlation_id: str | None = None
    parent_task_id: TaskId | None = None
    session_id: SessionId | None = None
    meta: dict[str, Any] = field(default_factory=dict)  # Any: the user's own JSON object


AnyEnvelope = TypeVar("AnyEnvelope", TaskEnvelope, StatusEnvelope, WorkflowEnvelope)
_AnyStruct = TypeVar("_AnyStruct", bound=Struct)

_UNREADABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class MalformedMessage(RelaynaError):
    """A body is not the JSON that this queue's consumer reads; trying it again will not help."""

    def __init__(self, wanted: str, problem: str) -> None:
        self.wanted = wanted
        self.problem = problem
        super().__init__(f"The message body is no {wanted}: {problem}")


def encode_body(envelope: TaskEnvelope | BatchTaskEnvelope | StatusEnvelope | WorkflowEnvelope) -> bytes:
    """The envelope as JSON. Raises `InvalidPayload`, a `TypeError`, for what JSON cannot hold."""
    try:
        body = msgspec.json.encode(envelope)
    except (TypeError, ValueError, RecursionError) as error:
        raise unwritable(envelope, error) from error
    if b"null" in body:  # what the encoder writes for a number that JSON has not; most bodies have none
        check_numbers_in(envelope)
    return body


def read_body(body: bytes, envelope: type[AnyEnvelope]) -> AnyEnvelope:
    """Read a message body. Raises `MalformedMessage`."""
    read = _decoded(body, envelope)
    if not read.task_id:
        raise MalformedMessage(envelope.__name__, "task_id is empty")
    return read


def read_batch(body: bytes) -> BatchTaskEnvelope | None:
    """The batch that a body is, or None. Raises `MalformedMessage` for one that cannot be read.

    A body is a batch by its shape, for other programs set none of our headers: an object without a `task_id`
    that has `tasks` or a `batch_id`.
    """
    try:
        names = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).keys()
    except _UNREADABLE:
        return None
    if "task_id" in names or names.isdisjoint(("tasks", "batch_id")):
        return None
    batch = _decoded(body, BatchTaskEnvelope)
    if not batch.batch_id:
        raise MalformedMessage(BatchTaskEnvelope.__name__, "batch_id is empty")
    if not batch.tasks:
        raise MalformedMessage(BatchTaskEnvelope.__name__, "it holds no tasks")
    for position, task in enumerate(batch.tasks):
        if not task.task_id:
            raise MalformedMessage(BatchTaskEnvelope.__name__, f"task_id is empty in tasks[{position}]")
    return batch


def _decoded(body: bytes, envelope: type[_AnyStruct]) -> _AnyStruct:
    try:
        return msgspec.json.decode(body, type=envelope)
    except _UNREADABLE as error:
        raise MalformedMessage(envelope.__name__, str(error)) from error
