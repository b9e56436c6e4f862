"""The last resort: an event that no stream will hold is written to the program's log as one JSON line.

Owns the line's shape. `event` in it is a plain record (`relayna.events.plain`), so that it can be
read back. Never raises on data.
"""

from __future__ import annotations

import base64
import logging
from typing import Any

import msgspec

from relayna.events import Opaque, decode_frame, encode_frame, to_plain
from relayna.ids import Tenant
from relayna.streams.log import START
from relayna.streams.recording.held import HeldEvent

__all__ = ["last_resort_line", "write_last_resort"]

_logger = logging.getLogger("relayna.recorder")


def write_last_resort(event: HeldEvent, reason: str, tenant: Tenant) -> None:
    """Log the event at level ERROR, on the logger `relayna.recorder`."""
    _logger.error("%s", last_resort_line(event, reason, tenant))


def last_resort_line(event: HeldEvent, reason: str, tenant: Tenant) -> str:
    """`{"relayna": "event_not_stored", "reason", "tenant", "task_id", "topology_kind", "event"}`.

    An event that cannot be read back comes as `data` instead: its stored bytes in base64.
    """
    line: dict[str, Any] = {  # Any: what JSON holds
        "relayna": "event_not_stored",
        "reason": reason,
        "tenant": tenant,
        "task_id": event.task_id,
        "topology_kind": event.topology_kind,
    }
    payload = encode_frame(event.task_id, None, None, [event.data])
    decoded = decode_frame(payload, task_id=event.task_id, stream_id=START).events[0]
    if isinstance(decoded.body, Opaque):
        line["data"] = base64.b64encode(event.data).decode()
    else:
        line["event"] = to_plain(decoded)
    return msgspec.json.encode(line).decode()
