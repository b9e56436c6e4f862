"""The last resort: an event that no stream will hold is written to the program's log as one JSON line.

Owns the line's shape, in both directions. `event` in it is a plain record (`relayna.events.plain`), for
people and for other programs. Never raises on data while it writes; says what is wrong when it reads.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import Any, Final

import msgspec

from relayna.errors import InvalidSetting, RelaynaError
from relayna.events import Event, Opaque, decode_frame, encode_event, encode_frame, from_plain, to_plain
from relayna.ids import TaskId, Tenant
from relayna.streams.keys import DEFAULT_TENANT, TaskAddress, checked_tenant
from relayna.streams.log import START, Append
from relayna.streams.recording.held import HeldEvent, storable_task_id

__all__ = ["UnreadableLine", "last_resort_line", "read_last_resort_line", "write_last_resort"]

_MARK: Final = "event_not_stored"
_START: Final = re.compile(r'\{\s*"relayna"\s*:')
_logger = logging.getLogger("relayna.recorder")


class UnreadableLine(RelaynaError):
    """A line of a program's log does not give its event back because of `problem`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"This line cannot be imported: {problem}. Give it as the logger relayna.recorder wrote it; "
            "text before and after the JSON does no harm."
        )


def write_last_resort(event: HeldEvent, reason: str, tenant: Tenant) -> None:
    """Log the event at level ERROR, on the logger `relayna.recorder`."""
    _logger.error("%s", last_resort_line(event, reason, tenant))


def last_resort_line(event: HeldEvent, reason: str, tenant: Tenant) -> str:
    """`{"relayna": "event_not_stored", "reason", "tenant", "task_id", "topology_kind", "event"}`.

    An event that `event` would not give back exactly comes as `data` too, its stored bytes in base64;
    one that cannot be read at all as `data` alone.
    """
    line: dict[str, Any] = {  # Any: what JSON holds
        "relayna": _MARK,
        "reason": reason,
        "tenant": tenant,
        "task_id": event.task_id,
        "topology_kind": event.topology_kind,
    }
    payload = encode_frame(event.task_id, None, None, [event.data])
    decoded = decode_frame(payload, task_id=event.task_id, stream_id=START).events[0]
    if not isinstance(decoded.body, Opaque):
        line["event"] = to_plain(decoded)
    if "event" not in line or not _gives_back(line["event"], event):
        line["data"] = base64.b64encode(event.data).decode()
    return _visible(msgspec.json.encode(line).decode())


def _visible(line: str) -> str:
    """The same JSON with escapes for what a terminal or a reader's eye would act on."""
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)


def read_last_resort_line(text: str) -> Append:
    """The frame of the event that `last_resort_line` wrote, for the stream that it belongs to.

    Takes a line with whatever the log put before and after the JSON. Raises `UnreadableLine`.
    """
    start = _START.search(text)
    if start is None:
        raise UnreadableLine('it holds no JSON that begins with {"relayna":')
    try:
        line, _ = json.JSONDecoder().raw_decode(text, start.start())
    except (ValueError, RecursionError) as error:
        raise UnreadableLine(f"its JSON ends early or is damaged ({error})") from None
    if line["relayna"] != _MARK:
        raise UnreadableLine(f'"relayna" is {line["relayna"]!r}, not {_MARK!r}')
    task_id = _task_id(line.get("task_id"))
    data = _data(line["data"]) if "data" in line else _event(line.get("event"), task_id)
    kind = line.get("topology_kind")
    frame = encode_frame(task_id, kind if isinstance(kind, str) else None, None, [data])
    return Append(TaskAddress(task_id, _tenant(line.get("tenant", DEFAULT_TENANT))), frame)


def _gives_back(plain: dict[str, Any], event: HeldEvent) -> bool:
    try:
        return _event(plain, event.task_id) == event.data
    except UnreadableLine:
        return False


def _task_id(given: object) -> TaskId:
    try:
        return storable_task_id(given)
    except TypeError:
        raise UnreadableLine('"task_id" is not text') from None


def _tenant(given: object) -> Tenant:
    if not isinstance(given, str):
        raise UnreadableLine('"tenant" is not text')
    try:
        return checked_tenant(given)
    except InvalidSetting as error:
        raise UnreadableLine(error.problem) from None


def _data(given: object) -> bytes:
    try:
        data = base64.b64decode(given if isinstance(given, str) else "!", validate=True)
        msgspec.msgpack.decode(data)
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise UnreadableLine('"data" is not an event in base64') from None
    return data


def _event(plain: object, task_id: TaskId) -> bytes:
    # Every line names its event's type, so it does not matter in which list the record stood.
    read, warnings = from_plain(plain, task_id=task_id, of="observation")
    if read is None or warnings:
        raise UnreadableLine("; ".join(f"{code}: {detail}" for code, detail in warnings))
    return encode_event(Event(envelope=read.envelope, body=read.body))
