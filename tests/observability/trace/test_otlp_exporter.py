"""Spans at a collector: a real one that decodes what the exporter sends."""

from __future__ import annotations

import sys

import pytest
from msgspec.structs import replace
from observability.trace.collector import collecting
from observability.trace.diamond import record_diamond

from relayna.errors import ConfigurationError
from relayna.instants import Instant
from relayna.observability.trace import ExportFailed, OtlpExporter, SessionTrace, TraceService
from relayna.projections.trace.names import analysis_trace_id
from relayna.streams import MemoryLog

pytestmark = pytest.mark.anyio


async def diamond() -> SessionTrace:
    log = MemoryLog()
    await record_diamond(log)
    async with log:
        return await TraceService(log=log).session("a")


async def test_a_collector_gets_every_span_with_its_parent_times_and_attributes() -> None:
    trace = await diamond()
    with collecting() as collector:
        exporter = OtlpExporter(collector.url, headers={"x-key": "secret"})
        assert exporter.export(trace.rows.spans, trace.session_id) == 12
        exporter.close()
    assert len(collector.spans) == 12
    assert {span.trace_id.hex() for span in collector.spans} == {analysis_trace_id("a")}
    by_id = {span.span_id: span for span in collector.spans}
    for span in collector.spans:
        told = {one.key: one.value.string_value for one in span.attributes}
        assert told["data_id"] in "abcd"
        if span.name == "task":
            assert (span.parent_span_id, told["relayna.type"]) == (b"", "compute")
        else:
            assert by_id[span.parent_span_id].name == "task"
    [load] = [span for span in collector.spans if span.name == "load"]
    assert load.end_time_unix_nano - load.start_time_unix_nano == 1_000_000_000
    [resource] = {
        request.resource_spans[0].resource.attributes[0].value.string_value for request in collector.requests
    }
    assert resource == "relayna"
    assert collector.headers[0]["x-key"] == "secret"


async def test_what_the_protocol_cannot_hold_keeps_no_other_span_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    [sound, *_] = (await diamond()).rows.spans
    body = sound.body
    early = replace(sound, body=replace(body, started_at=Instant(-1)))
    late = replace(sound, body=replace(body, ended_at=Instant(253_402_300_799_999_999)))
    large = replace(sound, body=replace(body, attributes={"a": 2**70, "b": [2**70], "c": {"d": None}}))
    with collecting() as collector:
        exporter = OtlpExporter(collector.url)
        assert exporter.export([early, sound, late, large], "a") == 2
        exporter.close()
    told = {one.key: one.value.string_value for one in collector.spans[1].attributes}
    assert (told["a"], told["b"], told["c"]) == (str(2**70), f"[{2**70}]", "{'d': None}")
    assert caplog.records == []


async def test_many_spans_go_in_several_requests() -> None:
    trace = await diamond()
    with collecting() as collector:
        exporter = OtlpExporter(collector.url)
        assert exporter.export(trace.rows.spans * 100, trace.session_id) == 1_200
        exporter.close()
    assert len(collector.requests) == 3


async def test_a_collector_that_refuses_is_an_error_that_says_what_it_has() -> None:
    trace = await diamond()
    with collecting(status=400) as collector:
        exporter = OtlpExporter(collector.url)
        with pytest.raises(ExportFailed, match="it has 0 of them") as failed:
            exporter.export(trace.rows.spans, trace.session_id)
        exporter.close()
    assert (failed.value.endpoint, failed.value.sent) == (collector.url, 0)


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no URL of a collector"):
        OtlpExporter("collector:4317")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigurationError, match="extra `otlp`"):
        OtlpExporter("http://127.0.0.1:1/v1/traces")
