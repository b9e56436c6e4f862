"""Attempts as traces: one for a session, with a status, and a link to what led to each."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace
from observability.incident.incident_steps import failing_events, incident_of

from relayna.events import RecordedEvent
from relayna.observability.incident.otlp import otlp_json, otlp_traces
from relayna.testing import history


def spans_of(events: list[RecordedEvent], **options: Any) -> list[dict[str, Any]]:
    (resource,) = otlp_traces(incident_of(events, **options))["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    return scope["spans"]  # type: ignore[no-any-return]


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def by_task(spans: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    tasks: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        tasks.setdefault(attributes(span)["relayna.task_id"], []).append(span)
    return tasks


def test_each_attempt_is_a_span_with_its_status() -> None:
    first, second = by_task(spans_of(failing_events()))["T"]
    (child,) = by_task(spans_of(failing_events()))["T-child"]
    assert [span["status"]["code"] for span in (first, second, child)] == [2, 2, 1]
    assert first["status"]["message"] == "no answer, password=[redacted]"
    assert attributes(first)["relayna.outcome"] == "retried"
    assert attributes(second)["error.type"] == "TimeoutError"
    assert [event["name"] for event in first["events"]] == ["exception"]
    assert int(first["startTimeUnixNano"]) < int(first["endTimeUnixNano"])
    assert (len(first["traceId"]), len(first["spanId"])) == (32, 16)


def test_each_links_to_what_led_to_it() -> None:
    first, second = by_task(spans_of(failing_events()))["T"]
    (child,) = by_task(spans_of(failing_events()))["T-child"]
    led = {"traceId": first["traceId"], "spanId": first["spanId"]}
    assert "links" not in first
    assert second["links"] == [led]
    assert child["links"] == [led]


def test_a_replay_links_to_the_attempt_whose_letter_it_was() -> None:
    attempt = history("T").published().attempt().fails("E").dead_lettered()
    again = attempt.replayed().attempt().acked()
    first, second = spans_of(again.events)
    assert second["links"] == [{"traceId": first["traceId"], "spanId": first["spanId"]}]


def test_a_session_is_a_trace() -> None:
    events = [
        replace(event, envelope=replace(event.envelope, session_id=session))
        for session, task in (("s", "T"), ("r", "T-child"))
        for event in failing_events()
        if event.envelope.task_id == task
    ]
    tasks = by_task(spans_of(events))
    assert len({span["traceId"] for span in tasks["T"]}) == 1
    assert {span["traceId"] for span in tasks["T"]} != {span["traceId"] for span in tasks["T-child"]}
    assert attributes(tasks["T"][0])["relayna.session_id"] == "s"


def test_what_runs_ends_where_it_began() -> None:
    (span,) = spans_of(history("T").published().attempt().events)
    assert span["status"] == {"code": 0}
    assert span["startTimeUnixNano"] == span["endTimeUnixNano"]


def test_the_same_incident_is_the_same_file() -> None:
    one, other = (otlp_json(incident_of(failing_events())) for _ in range(2))
    assert one == other
    assert json.loads(one)["resourceSpans"]
