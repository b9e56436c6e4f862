"""The only place where events become bytes and bytes become events.

A frame is one stream entry: `[frame version, task id, topology kind, first append in ms, [event …]]`,
an event is `[type name, version, [envelope …], [body …]]`, all in MessagePack. Each event can be
decoded alone, so one that cannot be read spoils nothing beside it. Decoding never raises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Union, cast

import msgspec
from msgspec import Raw, Struct

from relayna.events.cut import BODY_LIMIT_BYTES, cut_body, cut_envelope
from relayna.events.envelope import Envelope, Event, RecordedEvent
from relayna.events.opaque import Opaque
from relayna.events.redaction import Redact, redacted
from relayna.events.sanitise import sanitise_body, storable_text, with_json_maps
from relayna.events.upcasters import upcast
from relayna.events.vocabulary import CURRENT_VERSIONS, EVENT_TYPES, Body
from relayna.ids import EventId, StreamId, TaskId
from relayna.instants import Instant

__all__ = [
    "FRAME_VERSION",
    "Frame",
    "decode_frame",
    "decode_recorded",
    "encode_event",
    "encode_frame",
    "encode_recorded",
    "frame_events",
    "frame_task_id",
]

FRAME_VERSION: Final = 1


class Frame(Struct, frozen=True, kw_only=True, gc=False):
    """One stream entry, decoded."""

    topology_kind: str | None
    events: list[RecordedEvent]


class _RawFrame(Struct, frozen=True, array_like=True):
    version: int
    task_id: str
    topology_kind: str | None
    first_append_ms: int | None
    events: list[Raw]


class _RawEvent(Struct, frozen=True, array_like=True):
    type_name: str
    version: int
    envelope: Raw
    body: Raw


class _StoredEvent(Struct):
    """What the fast path decodes to; one subclass a type, told apart by the type name in front."""

    version: int
    envelope: Envelope
    body: Any  # Any: the subclass says which


def _stored_event(event_type: type[Struct]) -> type[Struct]:
    return msgspec.defstruct(
        f"_Stored{event_type.__name__}",
        [("version", int), ("envelope", Envelope), ("body", event_type)],
        tag=event_type.__name__,
        array_like=True,
        frozen=True,
        gc=False,
    )


_STORED_EVENT: Final = Union[tuple(_stored_event(event_type) for event_type, _ in EVENT_TYPES)]  # noqa: UP007 - built at run time


class _TypedFrame(Struct, frozen=True, array_like=True, gc=False):
    version: int
    task_id: str
    topology_kind: str | None
    first_append_ms: int | None
    events: list[_STORED_EVENT]  # type: ignore[valid-type]


_encoder: Final = msgspec.msgpack.Encoder()
_typed_frames: Final = msgspec.msgpack.Decoder(_TypedFrame)
_raw_frames: Final = msgspec.msgpack.Decoder(_RawFrame)
_raw_events: Final = msgspec.msgpack.Decoder(_RawEvent)
_envelopes: Final = msgspec.msgpack.Decoder(Envelope)
_fields: Final = msgspec.msgpack.Decoder(list[Any])
_current_versions: Final = {kind: CURRENT_VERSIONS[kind.__name__] for kind, _ in EVENT_TYPES}
_types: Final = {event_type.__name__: event_type for event_type, _ in EVENT_TYPES}
_unencodable: Final = (
    UnicodeEncodeError,
    OverflowError,
    TypeError,
    RecursionError,
    ValueError,
    NotImplementedError,
)
_undecodable: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
# What an upcaster stumbles over, too.
_bad_fields: Final = (*_undecodable, LookupError, TypeError, ValueError)
_LATEST_MILLISECONDS: Final = 253_402_300_799_999  # the end of the year 9999


def encode_event(event: Event, redact: Redact | None = None) -> bytes:
    """Turn a fact into storable bytes: sanitised, redacted and cut to size. Never raises on data.

    Raises `KeyError` for a body that is not in the vocabulary, which is a mistake in the program.
    """
    said = event.body if redact is None else redacted(event.body, redact)
    body = sanitise_body(said, redact)
    name = type(body).__name__
    version = CURRENT_VERSIONS[name]
    try:
        encoded = _encoder.encode((name, version, event.envelope, body))
    except _unencodable:
        envelope = sanitise_body(event.envelope, thorough=True)
        body = sanitise_body(said, redact, thorough=True)
        encoded = _encoder.encode((name, version, envelope, body))
        event = Event(envelope=envelope, body=body)
    if len(encoded) <= BODY_LIMIT_BYTES:
        return encoded
    return _encoder.encode((name, version, cut_envelope(event.envelope), cut_body(body)))


def encode_frame(
    task_id: TaskId, topology_kind: str | None, first_append_ms: int | None, events: Sequence[bytes]
) -> bytes:
    """One stream entry of events that `encode_event` made."""
    encoded = [Raw(item) for item in events]
    try:
        return _encoder.encode((FRAME_VERSION, task_id, topology_kind, first_append_ms, encoded))
    except _unencodable:
        storable = storable_text(task_id)
        return _encoder.encode((FRAME_VERSION, storable, topology_kind, first_append_ms, encoded))


def decode_frame(payload: bytes, *, task_id: TaskId, stream_id: StreamId) -> Frame:
    """Read one stream entry of the task's stream. What cannot be read becomes `Opaque`; never raises."""
    try:
        typed = _typed_frames.decode(payload)
    except _undecodable:
        return _decode_apart(payload, task_id, stream_id)
    if typed.version != FRAME_VERSION or typed.task_id != task_id:
        return _decode_apart(payload, task_id, stream_id)
    events: list[RecordedEvent] = []
    for index, stored in enumerate(cast("list[_StoredEvent]", typed.events)):
        envelope, body, version = stored.envelope, stored.body, stored.version
        if version != _current_versions[type(body)] or envelope.task_id != task_id:
            return _decode_apart(payload, task_id, stream_id)
        events.append(
            RecordedEvent(
                envelope=envelope,
                body=with_json_maps(body),
                version=version,
                stream_id=stream_id,
                index=index,
                first_append_ms=typed.first_append_ms,
            )
        )
    return Frame(topology_kind=typed.topology_kind, events=events)


def frame_task_id(payload: bytes) -> str | None:
    """Whose stream this entry belongs to; nothing when it is no frame."""
    try:
        return _raw_frames.decode(payload).task_id
    except _undecodable:
        return None


def frame_events(payload: bytes) -> list[bytes]:
    """The bytes of each event, as `encode_event` made them; none when it is no frame."""
    try:
        return [bytes(raw) for raw in _raw_frames.decode(payload).events]
    except _undecodable:
        return []


def encode_recorded(event: RecordedEvent) -> bytes:
    """A stored event with its place, for snapshots of projections; `Opaque` ones too."""
    place = (event.version, event.stream_id, event.index, event.first_append_ms)
    return _encoder.encode((type(event.body).__name__, *place, event.envelope, event.body))


def decode_recorded(data: bytes) -> RecordedEvent:
    """What `encode_recorded` wrote, by this same version of relayna. Raises `msgspec.DecodeError`."""
    name, version, stream_id, index, first_append_ms, envelope, body = _fields.decode(data)
    return RecordedEvent(
        envelope=msgspec.convert(envelope, Envelope),
        body=cast("Body", msgspec.convert(body, _types.get(name, Opaque))),
        version=version,
        stream_id=stream_id,
        index=index,
        first_append_ms=first_append_ms,
    )


def _decode_apart(payload: bytes, task_id: TaskId, stream_id: StreamId) -> Frame:
    """Event by event, so that what can be read is read."""
    place = _Place(task_id, stream_id)
    try:
        frame = _raw_frames.decode(payload)
    except _undecodable as error:
        return Frame(topology_kind=None, events=[place.opaque(0, payload, "corrupt", problem=str(error))])
    if frame.version != FRAME_VERSION:
        problem = f"frame version {frame.version}"
        return Frame(
            topology_kind=None, events=[place.opaque(0, payload, "unknown_version", problem=problem)]
        )
    if frame.task_id != storable_text(task_id):
        problem = "a frame of another task lies in this stream"
        return Frame(topology_kind=None, events=[place.opaque(0, payload, "corrupt", problem=problem)])
    place.first_append_ms = frame.first_append_ms
    events = [place.event(index, bytes(raw)) for index, raw in enumerate(frame.events)]
    return Frame(topology_kind=frame.topology_kind, events=events)


class _Place:
    """Where in the log an event lies; makes readable and opaque events that know it."""

    def __init__(self, task_id: TaskId, stream_id: StreamId) -> None:
        self.task_id = task_id
        self.stream_id = stream_id
        self.first_append_ms: int | None = None

    def event(self, index: int, data: bytes) -> RecordedEvent:
        try:
            raw = _raw_events.decode(data)
            envelope = _envelopes.decode(raw.envelope)
        except _undecodable as error:
            return self.opaque(index, data, "corrupt", problem=str(error))
        if envelope.task_id != storable_text(self.task_id):
            return self.opaque(index, data, "corrupt", raw=raw, problem="an event of another task")
        event_type = _types.get(raw.type_name)
        if event_type is None:
            return self.opaque(index, data, "unknown_type", raw=raw, envelope=envelope)
        try:
            fields = upcast(raw.type_name, raw.version, _fields.decode(raw.body))
            if fields is None:
                return self.opaque(index, data, "unknown_version", raw=raw, envelope=envelope)
            body = with_json_maps(cast("Body", msgspec.convert(fields, event_type)))
        except _bad_fields as error:
            return self.opaque(index, data, "corrupt", raw=raw, envelope=envelope, problem=str(error))
        return RecordedEvent(
            envelope=envelope,
            body=body,
            version=raw.version,
            stream_id=self.stream_id,
            index=index,
            first_append_ms=self.first_append_ms,
        )

    def opaque(
        self,
        index: int,
        data: bytes,
        reason: str,
        *,
        raw: _RawEvent | None = None,
        envelope: Envelope | None = None,
        problem: str | None = None,
    ) -> RecordedEvent:
        body = Opaque(
            reason=reason,
            type_name=raw.type_name if raw else None,
            version=raw.version if raw else None,
            problem=problem,
            digest=hashlib.sha256(data).hexdigest(),
        )
        # The entry's id starts with the server's milliseconds: the best time there is for it.
        milliseconds = self.first_append_ms or int(self.stream_id.partition("-")[0])
        milliseconds = max(0, min(milliseconds, _LATEST_MILLISECONDS))  # damaged bytes spell any number
        place = Envelope(
            event_id=EventId(f"{self.stream_id}.{reason}.{index}"),
            timestamp=Instant(milliseconds * 1000),
            task_id=self.task_id,
        )
        return RecordedEvent(
            envelope=envelope or place,
            body=body,
            version=raw.version if raw else 0,
            stream_id=self.stream_id,
            index=index,
            first_append_ms=self.first_append_ms,
        )
