"""Runs in which every text that anybody but relayna may choose is one and the same.

Owns how an event's fields are filled, by their types: a field or an event that is added is filled too.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from relayna.events import EVENT_TYPES, Body, Envelope, Event, RecordedEvent
from relayna.events.codec import decode_frame, encode_event, encode_frame
from relayna.events.vocabulary import CLOSING_TYPES, FAILED_TYPES, RECEIVED_TYPES
from relayna.ids import AttemptId, EventId, TaskId
from relayna.instants import Instant
from relayna.streams.log import START

__all__ = ["filled", "hostile_frame", "recorded"]

_OF_ATTEMPTS = (*RECEIVED_TYPES, *FAILED_TYPES, *CLOSING_TYPES)
_START = 1_767_225_600_000_000


def filled(event_type: type[Struct], text: str) -> Body:
    """An event all of whose texts are this one."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(event_type):
        value = _value(msgspec.inspect.type_info(field.type), field.name, text)
        if value is not None:
            values[field.name] = value
    return event_type(**values)  # type: ignore[return-value]  # one of the vocabulary


def _value(info: Any, name: str, text: str) -> Any:
    kinds = getattr(info, "types", (info,))
    for kind in kinds:
        match kind:
            case msgspec.inspect.StrType():
                return text
            case msgspec.inspect.DictType():
                return {text: [text, {text: text}], "task_id": text}
            case msgspec.inspect.BytesType():
                return text.encode(errors="replace")
            case msgspec.inspect.IntType():
                return 1
            case msgspec.inspect.VarTupleType() if name == "joined_message_ids":
                return (text,)
    return None


def hostile_frame(task_id: str, text: str) -> bytes:
    """One stream entry with every type of event: those of attempts in an attempt each, and one unknown type."""
    events: list[bytes] = []
    for number, (event_type, _) in enumerate(EVENT_TYPES):
        attempt = AttemptId(f"{text}{number}") if event_type in _OF_ATTEMPTS else None
        envelope = Envelope(
            event_id=EventId(f"{text}{number}.0"),
            timestamp=Instant(_START + number * 1_000_000),
            task_id=TaskId(task_id),
            attempt_id=attempt,
            seq=0 if attempt else None,
            session_id=text,  # type: ignore[arg-type]
            correlation_id=text,
            producer=text,
        )
        events.append(encode_event(Event(envelope=envelope, body=filled(event_type, text))))
    unknown = msgspec.msgpack.decode(events[0])
    storable = text.encode(errors="replace").decode()
    events.append(msgspec.msgpack.encode([storable, 1, [f"{storable}unknown", *unknown[2][1:]], [storable]]))
    return encode_frame(TaskId(task_id), storable, 0, events)


def recorded(task_id: str, text: str) -> list[RecordedEvent]:
    """Those events as the log gives them back."""
    return decode_frame(hostile_frame(task_id, text), task_id=TaskId(task_id), stream_id=START).events
