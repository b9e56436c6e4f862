"""Events as a bundle holds them: plain records with their place in the log, and back again, exactly.

Owns what is hidden of an event before it is given away, beside what was hidden before it was stored. Reads no log.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from relayna.events import (
    EVENT_TYPES,
    Body,
    DeadLetterRecorded,
    Envelope,
    Opaque,
    RecordedEvent,
    Redaction,
    to_plain,
)
from relayna.events.redaction import redacted
from relayna.events.sanitise import sanitise_body
from relayna.ids import StreamId
from relayna.instants import UNTIMED, parse_instant

__all__ = ["event_of", "given_away", "record_of"]

_TYPES: Final[dict[str, type[Struct]]] = {
    "Opaque": Opaque,
    **{event_type.__name__: event_type for event_type, _ in EVENT_TYPES},
}
_PAYLOADS: Final[dict[str, None]] = dict.fromkeys(("headers", "body", "body_sha256"))
"""The digest of a short body tells the body to whoever guesses it."""


def given_away(event: RecordedEvent, redaction: Redaction, *, with_payloads: bool) -> RecordedEvent:
    """The event without secrets and, unless asked for, without what a dead letter's message held."""
    body = event.body
    if isinstance(body, Opaque):
        return replace(event, body=replace(body, problem=body.problem and redaction.text(body.problem)))
    if isinstance(body, DeadLetterRecorded) and not with_payloads:
        body = replace(body, **_PAYLOADS)
    return replace(event, body=sanitise_body(redacted(body, redaction), redaction, thorough=True))


def record_of(event: RecordedEvent) -> dict[str, Any]:  # Any: JSON values
    """A plain record (docs/events.md); `place` is its stream entry, index, version and first append in ms."""
    return {
        **to_plain(event),
        "place": [event.stream_id, event.index, event.version, event.first_append_ms],
    }


def event_of(record: dict[str, Any]) -> RecordedEvent:  # Any: JSON values
    """The event of which `record_of` made this. Raises `ValueError`, also as `msgspec.ValidationError`."""
    kind = _TYPES.get(record.get("event_type", ""))
    if kind is None:
        raise ValueError(f"no event is a {str(record.get('event_type'))[:80]!r}")
    timestamp = UNTIMED if "timestamp" not in record else parse_instant(record["timestamp"])
    if timestamp is None:
        raise ValueError(f"{str(record['timestamp'])[:80]!r} is no time")
    stream_id, index, version, first_append_ms = msgspec.convert(
        record.get("place"), tuple[str, int, int, int | None]
    )
    envelope = [timestamp if name == "timestamp" else record.get(name) for name in Envelope.__struct_fields__]
    return RecordedEvent(
        envelope=msgspec.convert(envelope, Envelope),
        body=_body(record, kind),
        version=version,
        stream_id=_stream_id(stream_id),
        index=index,
        first_append_ms=first_append_ms,
    )


def _body(record: dict[str, Any], kind: type[Struct]) -> Body:  # Any: JSON values
    values = {
        field.name: msgspec.convert(record[field.name], field.type)
        for field in msgspec.structs.fields(kind)
        if field.name in record
    }
    try:
        return cast("Body", kind(**values))
    except TypeError as error:
        raise ValueError(f"a field is missing ({error})") from None


def _stream_id(told: str) -> StreamId:
    milliseconds, dash, counter = told.partition("-")
    if not (dash and milliseconds.isdecimal() and counter.isdecimal() and len(told) <= 41):
        raise ValueError(f"{told[:60]!r} is no position in a stream")
    return StreamId(told)
