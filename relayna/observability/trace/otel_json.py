"""Spans in OpenTelemetry's JSON, one a line: written as its SDK writes them, read from that and from OTLP's JSON.

Owns both directions. What is read and has no field here is kept in the attributes: a span's own fields under names
that begin with `otel.`. Attribute names and trace ids are `relayna/projections/trace/names.py`'s. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from relayna.events import SpanEnded
from relayna.instants import Instant, format_instant, parse_instant
from relayna.projections.trace.names import (
    ATTEMPT_ID,
    BATCH_ID,
    DATA_ID,
    OTEL,
    PAYLOAD_BYTES,
    SPAN_TYPE,
    TASK_ID,
    analysis_trace_id,
    traceparent_of,
    traceparent_parts,
)
from relayna.projections.trace.recorded import ToldSpan

__all__ = ["BadSpan", "span_from_json", "span_json", "span_line"]

_Json: TypeAlias = dict[str, Any]  # Any: JSON values

_TRACEPARENT: Final = "traceparent"
_OWN: Final = frozenset(
    {"name", "context", "parent_id", "start_time", "end_time", "attributes", "links", "traceId", "spanId",
     "parentSpanId", "startTimeUnixNano", "endTimeUnixNano"}
)  # fmt: skip
_KIND_OF_OURS: Final = "SpanKind.INTERNAL"
_MOST_BYTES: Final = 2**53


class BadSpan(ValueError):
    """A line that is no span; says why."""


def span_line(told: ToldSpan, session_id: str) -> bytes:
    """The span as one line, without its end."""
    return msgspec.json.encode(span_json(told, session_id))


def span_json(told: ToldSpan, session_id: str) -> _Json:
    """The span as OpenTelemetry's SDK for Python tells it, ids without `0x`."""
    body, extras = told.body, dict(told.body.attributes or {})
    own = {name.removeprefix(OTEL): extras.pop(name) for name in list(extras) if name.startswith(OTEL)}
    for name in _OWN - {"links"}:  # an attribute of such a name is not believed
        own.pop(name, None)
    named = {
        SPAN_TYPE: body.type,
        DATA_ID: told.data_id,
        BATCH_ID: body.batch_id,
        PAYLOAD_BYTES: body.payload_bytes,
        ATTEMPT_ID: told.attempt_id,
        TASK_ID: told.task_id,
    }
    links = own.pop("links", [])
    if body.linked_to is not None:
        links = [_link(body.linked_to), *(links if isinstance(links, list) else [])]
    return {
        "name": body.name,
        "context": {
            "trace_id": body.trace_id or analysis_trace_id(session_id),
            "span_id": body.span_id,
            "trace_state": own.pop("trace_state", "[]"),
        },
        "kind": own.pop("kind", _KIND_OF_OURS),
        "parent_id": body.parent_span_id,
        "start_time": _time(body.started_at),
        "end_time": _time(body.ended_at),
        "attributes": {**extras, **{name: value for name, value in named.items() if value is not None}},
        "links": links,
        **own,
    }


def span_from_json(line: bytes, *, session_id: str | None = None) -> SpanEnded:
    """The span that a line is; it is not looked at whether it is sound. Raises `BadSpan`.

    A trace id that is the session's own goes without saying.
    """
    told = _object(line)
    context = told.get("context")
    if context is None:
        context = {"trace_id": told.get("traceId"), "span_id": told.get("spanId")}
    if not isinstance(context, dict):
        raise BadSpan("its context is no object")
    attributes = _attributes(told.get("attributes"))
    trace_id = _hex(context.get("trace_id"), 32, "trace_id")
    linked_to, links = _linked(told.get("links"))
    extras = {
        f"{OTEL}{name}": value for name, value in told.items() if name not in _OWN and value is not None
    }
    if extras.get(f"{OTEL}kind") == _KIND_OF_OURS:
        del extras[f"{OTEL}kind"]
    if (state := context.get("trace_state")) not in (None, "", "[]"):
        extras[f"{OTEL}trace_state"] = state
    if links:
        extras[f"{OTEL}links"] = links
    own = {name: attributes.pop(name, None) for name in (SPAN_TYPE, DATA_ID, BATCH_ID, PAYLOAD_BYTES)}
    attributes.pop(TASK_ID, None)  # whose span it is, the stream says that holds it
    return SpanEnded(
        name=_text(told.get("name"), "name") or "",
        started_at=_instant(told, "start_time", "startTimeUnixNano"),
        ended_at=_instant(told, "end_time", "endTimeUnixNano"),
        type=_text(own[SPAN_TYPE], SPAN_TYPE) or "compute",
        data_id=_text(own[DATA_ID], DATA_ID),
        span_id=_hex(context.get("span_id"), 16, "span_id"),
        parent_span_id=_hex(told.get("parent_id", told.get("parentSpanId")), 16, "parent_id"),
        batch_id=_text(own[BATCH_ID], BATCH_ID),
        payload_bytes=_size(own[PAYLOAD_BYTES]),
        trace_id=None if session_id is not None and trace_id == analysis_trace_id(session_id) else trace_id,
        linked_to=linked_to,
        attributes={**attributes, **extras} or None,
    )


def _object(line: bytes) -> _Json:
    try:
        told = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSpan(f"it is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise BadSpan("it is no JSON object")
    return told


def _link(traceparent: str) -> _Json:
    trace_id, span_id = traceparent_parts(traceparent) or ("", "")
    return {
        "context": {"trace_id": trace_id, "span_id": span_id, "trace_state": "[]"},
        "attributes": {_TRACEPARENT: traceparent},
    }


def _linked(told: object) -> tuple[str | None, list[Any]]:  # Any: JSON values
    """What the first link leads to, as a `traceparent`, and the links that are kept as they are."""
    if not isinstance(told, list) or not told or not isinstance(told[0], dict):
        return None, told if isinstance(told, list) else []
    first, rest = told[0], told[1:]
    kept = _attributes(first.get("attributes")).get(_TRACEPARENT)
    if isinstance(kept, str) and traceparent_parts(kept):
        return kept, rest
    context = first.get("context", first)
    if not isinstance(context, dict):
        return None, told
    trace_id = _hex(context.get("trace_id", context.get("traceId")), 32, "links")
    span_id = _hex(context.get("span_id", context.get("spanId")), 16, "links")
    return (traceparent_of(trace_id, span_id), rest) if trace_id and span_id else (None, told)


def _attributes(told: object) -> _Json:
    """Attributes as an object, or in OTLP's JSON as a list of keys with values of a named type."""
    match told:
        case None:
            return {}
        case dict():
            return dict(told)
        case list():
            return {
                str(one["key"]): _value(one.get("value"))
                for one in told
                if isinstance(one, dict) and "key" in one
            }
        case _:
            raise BadSpan("its attributes are no object")


def _value(told: object) -> Any:  # Any: a JSON value
    if not isinstance(told, Mapping) or len(told) != 1:
        return told
    [(kind, value)] = told.items()
    match kind, value:
        case "intValue", str() if re.fullmatch(r"-?\d{1,19}", value):
            return int(value)
        case "arrayValue", {"values": list() as values}:
            return [_value(one) for one in values]
        case "kvlistValue", {"values": list() as values}:
            return _attributes(values)
        case (("stringValue" | "boolValue" | "doubleValue" | "intValue" | "bytesValue"), _):
            return value
        case _:
            return dict(told)


def _instant(told: _Json, name: str, nanoseconds: str) -> Instant:
    value = told.get(name)
    if value is None:
        value = told.get(nanoseconds)
        if isinstance(value, str) and re.fullmatch(r"\d{1,20}", value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return Instant(value // 1_000)
    found = parse_instant(value)
    if found is None:
        raise BadSpan(f"its {name} is no time")
    return found


def _time(instant: Instant) -> str:
    """As OpenTelemetry's SDK writes times: always with microseconds, and Z."""
    told = format_instant(instant).removesuffix("+00:00")
    return f"{told}Z" if "." in told else f"{told}.000000Z"


def _hex(told: object, length: int, name: str) -> str | None:
    if told is None or told == "":
        return None
    text = told.lower().removeprefix("0x") if isinstance(told, str) else ""
    if not re.fullmatch(rf"[0-9a-f]{{{length}}}", text):
        raise BadSpan(f"its {name} is no {length} hexadecimal characters")
    return text


def _text(told: object, name: str) -> str | None:
    if told is not None and not isinstance(told, str):
        raise BadSpan(f"its {name} is no text")
    return told or None


def _size(told: object) -> int | None:
    if told is None:
        return None
    if not isinstance(told, int) or isinstance(told, bool) or not 0 <= told < _MOST_BYTES:
        raise BadSpan(f"its {PAYLOAD_BYTES} is no number of bytes")
    return told
