"""What travels in message bodies, as JSON: tasks, statuses and workflow messages.

Owns the three shapes and how they are read. Unknown fields are ignored, so newer producers do no harm.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from relayna.errors import RelaynaError
from relayna.ids import MessageId, SessionId, TaskId

__all__ = [
    "MalformedMessage",
    "StatusEnvelope",
    "TaskEnvelope",
    "WorkflowEnvelope",
    "encode_body",
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


class MalformedMessage(RelaynaError):
    """A body is not the JSON that this queue's consumer reads; trying it again will not help."""

    def __init__(self, wanted: str, problem: str) -> None:
        self.wanted = wanted
        self.problem = problem
        super().__init__(f"The message body is no {wanted}: {problem}")


def encode_body(envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope) -> bytes:
    """The envelope as JSON. Raises `TypeError` on payloads that JSON cannot hold."""
    return msgspec.json.encode(envelope)


def read_body(body: bytes, envelope: type[AnyEnvelope]) -> AnyEnvelope:
    """Read a message body. Raises `MalformedMessage`."""
    try:
        read = msgspec.json.decode(body, type=envelope)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedMessage(envelope.__name__, str(error)) from error
    if not read.task_id:
        raise MalformedMessage(envelope.__name__, "task_id is empty")
    return read
