"""Plain records: events as dictionaries, as the stores list them and as users hand them in.

Owns both directions and the leniency that foreign records need. Never raises on data: what cannot
be read is returned as a warning, and the rest of the record is used.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct

from relayna.events.dead_letter import DeadLetterRecorded
from relayna.events.envelope import Envelope, RecordedEvent
from relayna.events.opaque import Opaque
from relayna.events.sanitise import FREE_FORM_FIELDS, sanitise_body, sanitise_value, storable_text
from relayna.events.status import StatusPublished
from relayna.events.vocabulary import EVENT_TYPES, Body, type_name
from relayna.ids import EventId, StreamId, TaskId
from relayna.instants import UNTIMED, Instant, format_instant, parse_instant

__all__ = ["PlainList", "from_plain", "to_plain"]

PlainList: TypeAlias = Literal["status", "observation", "dead_letter"]
"""Which of the three lists a plain record stood in."""

_ENVELOPE_TEXTS: Final = ("attempt_id", "cause", "parent_task_id", "session_id", "correlation_id", "producer")
_TIMES: Final = ("timestamp", "dead_lettered_at", "occurred_at", "created_at")
_OTHER_NAMES: Final = {"dead_letter_id": ("dlq_id", "id"), "message_id": ("origin_message_id",)}


def _lookup_key(name: str) -> str:
    """Names compare without case and punctuation: TaskMessageReceived is task_message_received."""
    return "".join(character for character in name.lower() if character.isalnum())


_canonical: Final = msgspec.json.Encoder(order="sorted")
_TYPES: Final = {_lookup_key(event_type.__name__): event_type for event_type, _ in EVENT_TYPES}


@functools.cache
def _field_types(event_type: type[Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(event_type)}


def to_plain(event: RecordedEvent) -> dict[str, Any]:
    """The event as a dictionary of JSON values: `event_type`, `timestamp`, ids, then its fields; no nulls."""
    envelope, body = event.envelope, event.body
    record: dict[str, Any] = {
        "event_type": type_name(body),
        "timestamp": None if envelope.timestamp == UNTIMED else format_instant(envelope.timestamp),
        "task_id": envelope.task_id,
        "event_id": envelope.event_id,
        "seq": envelope.seq,
        **{name: getattr(envelope, name) for name in _ENVELOPE_TEXTS},
    }
    for name in body.__struct_fields__:
        record.setdefault(name, msgspec.to_builtins(getattr(body, name)))
    return {name: value for name, value in record.items() if value is not None}


def from_plain(
    record: object, *, task_id: TaskId, of: PlainList
) -> tuple[RecordedEvent | None, list[tuple[str, str]]]:
    """Read one plain record; also what was wrong with it, as (code, detail) pairs."""
    warnings: list[tuple[str, str]] = []
    if not isinstance(record, Mapping):
        return None, [("bad_record", f"a {of} record is {type(record).__name__}, not an object")]
    fields = {_printed(name): value for name, value in record.items()}
    timestamp = _timestamp(fields, of, warnings)
    body = _body(fields, of, warnings)
    if body is None:
        return None, warnings
    body = sanitise_body(body, thorough=True)
    envelope = _envelope(fields, task_id=task_id, timestamp=timestamp, body=body, of=of, warnings=warnings)
    return RecordedEvent(envelope=envelope, body=body, stream_id=StreamId("0-0")), warnings


def _timestamp(fields: Mapping[str, Any], of: PlainList, warnings: list[tuple[str, str]]) -> Instant | None:
    for name in _TIMES:
        if fields.get(name) is not None:
            instant = parse_instant(fields[name])
            if instant is None:
                warnings.append(
                    ("bad_timestamp", f"a {of} record has {name} {_printed(fields[name])[:80]!r}")
                )
            return instant
    warnings.append(("bad_timestamp", f"a {of} record has no timestamp"))
    return None


def _event_type(fields: Mapping[str, Any], of: PlainList) -> type[Struct] | None:
    named = fields.get("event_type")
    known = _TYPES.get(_lookup_key(named)) if isinstance(named, str) else None
    if known is not None:
        return known
    return {"status": StatusPublished, "dead_letter": DeadLetterRecorded, "observation": None}[of]


def _body(fields: Mapping[str, Any], of: PlainList, warnings: list[tuple[str, str]]) -> Body | None:
    event_type = _event_type(fields, of)
    if event_type is None:
        named = _printed(fields.get("event_type"))[:80]
        warnings.append(("unknown_type", f"an observation record has event_type {named!r}"))
        return Opaque(reason="unknown_type", type_name=named, digest=_identity(fields))
    values: dict[str, Any] = {}
    for name, field_type in _field_types(event_type).items():
        given = next(
            (fields[key] for key in (name, *_OTHER_NAMES.get(name, ())) if fields.get(key) is not None), None
        )
        if given is None:
            continue
        try:
            values[name] = _convert(given, name, field_type)
        except (msgspec.ValidationError, RecursionError, ValueError):
            warnings.append(("bad_field", f"a {of} record has a {type(given).__name__} as its {name}"))
    if event_type is DeadLetterRecorded:
        values.setdefault("dead_letter_id", _identity(fields)[:32])
    try:
        return cast("Body", event_type(**values))
    except TypeError:
        warnings.append(("bad_record", f"a {of} record lacks a field that {event_type.__name__} needs"))
        return None


def _convert(given: object, name: str, field_type: object) -> object:
    if name == "body" and isinstance(given, str):
        try:
            return base64.b64decode(given, validate=True)
        except ValueError:
            return given.encode(errors="replace")
    if name in FREE_FORM_FIELDS:
        if not isinstance(given, Mapping):
            raise ValueError(name)
        return given
    value = msgspec.convert(given, cast("Any", field_type), strict=False)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(name)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(name)
    return value


def _envelope(
    fields: Mapping[str, Any],
    *,
    task_id: TaskId,
    timestamp: Instant | None,
    body: Body,
    of: PlainList,
    warnings: list[tuple[str, str]],
) -> Envelope:
    texts: dict[str, Any] = {}
    for name in _ENVELOPE_TEXTS:
        given = fields.get(name)
        if isinstance(given, str | int):
            texts[name] = _printed(given)
        elif given is not None:
            warnings.append(("bad_field", f"a {of} record has a {type(given).__name__} as its {name}"))
    meta = fields.get("meta")
    if (
        "parent_task_id" not in texts
        and isinstance(meta, Mapping)
        and isinstance(meta.get("parent_task_id"), str)
    ):
        texts["parent_task_id"] = meta["parent_task_id"]
    seq = fields.get("seq")
    given_id = fields.get("event_id")
    if not isinstance(given_id, str) or not given_id:
        given_id = f"{of}:{_identity(fields)}"
    envelope = Envelope(
        event_id=EventId(given_id),
        timestamp=UNTIMED if timestamp is None else timestamp,
        task_id=task_id,
        seq=seq if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 2**63 else None,
        **texts,
    )
    return sanitise_body(envelope, thorough=True)


def _identity(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the record's canonical JSON: however its keys are ordered, its times and its type are spelled."""
    said = {name: value for name, value in fields.items() if value is not None}
    for name in _TIMES:
        instant = parse_instant(said.get(name))
        if instant is not None:
            said[name] = instant
    named = said.get("event_type")
    if isinstance(named, str) and _lookup_key(named) in _TYPES:
        said["event_type"] = _lookup_key(named)
    try:
        encoded = _canonical.encode(said)
    except (TypeError, ValueError, OverflowError, RecursionError):
        encoded = _canonical.encode(sanitise_value(said))
    return hashlib.sha256(encoded).hexdigest()


def _printed(value: object) -> str:
    """Any value as text, for names and messages; never raises, unlike `str`."""
    return storable_text(value) if isinstance(value, str) else str(sanitise_value(value))
