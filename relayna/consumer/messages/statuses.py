"""Status messages of any producer: read as leniently as a status can be understood.

Owns what a foreign status may look like. relayna's own are `StatusEnvelope`s, which are read the same way.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from relayna.consumer.messages.envelopes import MalformedMessage, StatusEnvelope
from relayna.ids import SessionId, TaskId
from relayna.instants import Instant, parse_instant

__all__ = ["read_status"]


class _AnyStatus(Struct, kw_only=True):
    """Only what makes it a status is asked for; the rest may be anything. Any: JSON values."""

    task_id: str | int
    status: str
    message: Any = None
    meta: Any = None
    timestamp: Any = None
    correlation_id: Any = None
    parent_task_id: Any = None
    session_id: Any = None
    stage: Any = None


def read_status(body: bytes) -> tuple[StatusEnvelope, Instant | None]:
    """The status, and when it says it was, if it says so in any way that is understood.

    Raises `MalformedMessage` without a task id or a status.
    """
    try:
        read = msgspec.json.decode(body, type=_AnyStatus)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedMessage("status", str(error)) from error
    for name in ("task_id", "status"):
        if getattr(read, name) == "":
            raise MalformedMessage("status", f"{name} is empty")
    meta = read.meta if isinstance(read.meta, dict) else {} if read.meta is None else {"value": read.meta}
    parent = _text(read.parent_task_id) or _text(meta.get("parent_task_id"))
    session = _text(read.session_id)
    envelope = StatusEnvelope(
        task_id=TaskId(str(read.task_id)),
        status=read.status,
        message=_text(read.message),
        meta=meta,
        timestamp=_text(read.timestamp),
        correlation_id=_text(read.correlation_id) or None,
        parent_task_id=TaskId(parent) if parent else None,
        session_id=SessionId(session) if session else None,
        stage=_text(read.stage) or None,
    )
    return envelope, parse_instant(read.timestamp)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
