"""The codec: one event to bytes and back, beside msgspec alone on the same data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Union

import msgspec
from msgspec import Struct

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure
from benchmarks.measuring import interleaved
from benchmarks.workloads import WORKLOADS
from relayna.events import EVENT_TYPES, Envelope, Event, RecordedEvent, decode_frame, encode_event
from relayna.events.vocabulary import CURRENT_VERSIONS
from relayna.streams import Append

__all__ = ["CODEC"]

_EVENTS: Final = 2_000
_ENCODE, _BARE_ENCODE = "encode_event", "bare msgspec encode"
_DECODE, _BARE_DECODE = "decode_frame", "bare msgspec decode of the same frames"


def _run(bench: Bench) -> Iterator[Figure]:
    history = bench.history(WORKLOADS[0], _EVENTS)
    appends = history.first_appends(_EVENTS)
    items = history.first_events(_EVENTS)
    events = [Event(envelope=one.envelope, body=one.body) for one in items if isinstance(one, RecordedEvent)]
    works = {
        _ENCODE: lambda: _encode(events),
        _BARE_ENCODE: lambda: _bare_encode(events),
        _DECODE: lambda: _decode(appends),
        _BARE_DECODE: lambda: _bare_decode(appends),
    }
    for name, samples in interleaved(works, rounds=bench.rounds, times=5).items():
        yield Figure(name=name, unit="µs/event", samples=[sample / len(events) * 1e6 for sample in samples])


def _encode(events: Sequence[Event]) -> None:
    for event in events:
        encode_event(event)


def _bare_encode(events: Sequence[Event]) -> None:
    encode = msgspec.msgpack.Encoder().encode
    for event in events:
        name = type(event.body).__name__
        encode((name, CURRENT_VERSIONS[name], event.envelope, event.body))


def _decode(appends: Sequence[Append]) -> None:
    for append in appends:
        decode_frame(append.payload, task_id=append.address.task_id, stream_id=_SOMEWHERE)


def _bare_decode(appends: Sequence[Append]) -> None:
    for append in appends:
        _bare_frames.decode(append.payload)


def _bare_event(event_type: type[Struct]) -> type[Struct]:
    fields = [("version", int), ("envelope", Envelope), ("body", event_type)]
    return msgspec.defstruct(
        f"Bare{event_type.__name__}", fields, tag=event_type.__name__, array_like=True, gc=False
    )


_SOMEWHERE: Final = RecordedEvent.__struct_defaults__[1]
_BareEvent: Any = Union[tuple(_bare_event(event_type) for event_type, _ in EVENT_TYPES)]  # noqa: UP007 - built at run time
_bare_frames: Final = msgspec.msgpack.Decoder(tuple[int, str, str | None, int | None, list[_BareEvent]])

CODEC: Final = Case("codec", "One event to bytes and back, beside msgspec alone on the same data.", _run)
