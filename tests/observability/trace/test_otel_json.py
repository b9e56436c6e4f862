"""Spans as OpenTelemetry's JSON: what is written is read back, whatever it holds, and so is what others write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from opentelemetry.sdk.trace import TracerProvider

from relayna.events import SpanEnded
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.observability.trace.otel_json import BadSpan, span_from_json, span_json, span_line
from relayna.projections.trace.names import analysis_trace_id
from relayna.projections.trace.recorded import ToldSpan

START = Instant(1_767_225_600_000_000)


def hexadecimal(length: int) -> st.SearchStrategy[str]:
    return st.integers(1, 16**length - 1).map(lambda number: f"{number:0{length}x}")


def json_values() -> st.SearchStrategy[Any]:
    plain = st.one_of(st.booleans(), st.integers(-(2**60), 2**60), st.text(max_size=8))
    return st.one_of(
        plain, st.lists(plain, max_size=3), st.dictionaries(st.text(max_size=4), plain, max_size=3)
    )


some = st.text(min_size=1, max_size=10)
spans = st.builds(
    SpanEnded,
    name=some,
    started_at=st.integers(0, 10**15).map(Instant),
    ended_at=st.integers(0, 10**15).map(Instant),
    type=st.sampled_from(["compute", "network", "marker"]),
    data_id=some,
    span_id=st.none() | hexadecimal(16),
    parent_span_id=st.none() | hexadecimal(16),
    batch_id=st.none() | some,
    payload_bytes=st.none() | st.integers(0, 2**50),
    trace_id=st.none() | hexadecimal(32),
    linked_to=st.none() | st.builds("00-{}-{}-01".format, hexadecimal(32), hexadecimal(16)),
    attributes=st.none() | st.dictionaries(some.map("x.{}".format), json_values(), min_size=1, max_size=3),
)


@settings(max_examples=150)
@given(span=spans, session_id=some)
def test_what_is_written_is_read_back(span: SpanEnded, session_id: str) -> None:
    told = ToldSpan(body=span, data_id=span.data_id or "", task_id=TaskId("t"))
    line = span_line(told, session_id)
    assert b"\n" not in line
    read = span_from_json(line, session_id=session_id)
    assert read == span
    assert span_line(replace(told, body=read), session_id) == line


def test_it_is_the_shape_that_the_sdk_writes() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("photos").start_as_current_span("resize") as span:
        span.set_attribute("width", 640)
        span.add_event("half", {"done": 0.5})
    written = json.loads(span.to_json())  # type: ignore[attr-defined]
    read = span_from_json(span.to_json().encode())  # type: ignore[attr-defined]
    assert read.span_id == written["context"]["span_id"].removeprefix("0x")
    assert read.trace_id == written["context"]["trace_id"].removeprefix("0x")
    told = span_json(ToldSpan(body=read, data_id="d", task_id=TaskId("d")), "s")
    assert told.keys() == written.keys()
    for same in ("name", "start_time", "end_time", "kind", "events", "status", "resource", "links"):
        assert told[same] == written[same], same
    assert told["attributes"] == {
        "width": 640,
        "relayna.type": "compute",
        "data_id": "d",
        "relayna.task_id": "d",
    }


def test_otlp_json_is_read_too() -> None:
    line = json.dumps(
        {
            "traceId": "0AF7651916CD43DD8448EB211C80319C",
            "spanId": "b7ad6b7169203331",
            "parentSpanId": "",
            "name": "read",
            "kind": 3,
            "startTimeUnixNano": str(START * 1_000),
            "endTimeUnixNano": (START + 5) * 1_000,
            "attributes": [
                {"key": "relayna.type", "value": {"stringValue": "network"}},
                {"key": "payload_bytes", "value": {"intValue": "12"}},
                {"key": "ok", "value": {"boolValue": True}},
                {"key": "parts", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}},
            ],
            "links": [{"traceId": "0af7651916cd43dd8448eb211c80319d", "spanId": "b7ad6b7169203332"}],
        }
    )
    assert span_from_json(line.encode()) == SpanEnded(
        name="read",
        started_at=START,
        ended_at=Instant(START + 5),
        type="network",
        span_id="b7ad6b7169203331",
        payload_bytes=12,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        linked_to="00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-00",
        attributes={"ok": True, "parts": [1], "otel.kind": 3},
    )


@pytest.mark.parametrize(
    "session_id", ["0A8C6F5E-9A0B-4C1D-8E2F-001122334455", "f" * 32, "order-7", "0" * 32]
)
def test_a_sessions_spans_are_one_trace(session_id: str) -> None:
    body = SpanEnded(name="read", started_at=START, ended_at=START)
    told = span_json(ToldSpan(body=body, data_id="d", task_id=TaskId("d")), session_id)
    trace_id = told["context"]["trace_id"]
    assert trace_id == analysis_trace_id(session_id)
    assert int(trace_id, 16) > 0
    kept = session_id.replace("-", "").lower()
    assert (trace_id == kept) is (session_id not in ("order-7", "0" * 32))


GOOD: dict[str, Any] = {
    "name": "read",
    "start_time": "2026-01-01T00:00:00Z",
    "end_time": "2026-01-01T00:00:01Z",
}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        (GOOD | {"start_time": "soon"}, "start_time"),
        (GOOD | {"end_time": None}, "end_time"),
        (GOOD | {"context": {"span_id": "xyz"}}, "span_id"),
        (GOOD | {"context": 7}, "context"),
        (GOOD | {"name": 7}, "name"),
        (GOOD | {"attributes": "no"}, "attributes"),
        (GOOD | {"attributes": {"payload_bytes": -1}}, "payload_bytes"),
        (GOOD | {"attributes": {"data_id": 7}}, "data_id"),
    ],
)
def test_what_is_no_span_is_refused(line: str | dict[str, Any], problem: str) -> None:
    with pytest.raises(BadSpan, match=problem):
        span_from_json((line if isinstance(line, str) else json.dumps(line)).encode())


def test_an_attribute_never_stands_for_what_a_span_says_itself() -> None:
    line = b'{"name": "read", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z", "attributes": '
    read = span_from_json(line + b'{"otel.name": "other", "otel.context": "none", "otel.resource": "kept"}}')
    told = json.loads(span_line(ToldSpan(body=read, data_id="d", task_id=TaskId("t")), "s"))
    assert (told["name"], told["resource"]) == ("read", "kept")
    assert set(told["context"]) == {"trace_id", "span_id", "trace_state"}
