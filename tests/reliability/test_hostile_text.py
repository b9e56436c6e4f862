"""T32: hostile text in every field that users choose is executed nowhere, and forges nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from urllib.parse import quote

import anyio
import httpx2
import msgspec
import pytest
from api.execution_routes import executions_app
from api.serving import client_of
from mermaid.real_parser import RealParser
from projections.laws import fold
from reliability.hostile_ids import is_storable
from reliability.hostile_payloads import hostile_payloads
from reliability.hostile_runs import filled, hostile_frame, recorded
from reliability.hostile_sinks import (
    dot_complaints,
    log_lines,
    mermaid_complaints,
    metric_complaints,
    terminal_complaints,
)
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from streams.faulty_log import FaultyLog

from relayna.events import EVENT_TYPES, Envelope, Event
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.observability.mermaid import execution_graph_mermaid
from relayna.observability.metrics import GraphReports
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.graph_view import COLLAPSES, shown
from relayna.projections.registry import EXECUTION_PROJECTIONS
from relayna.streams import Append, MemoryLog, TaskAddress
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.recording.held import hold
from relayna.streams.recording.last_resort import write_last_resort

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

WORDS = ("graph", "history", "timeline", "status")
HEADERS = {
    "cache-control", "connection", "content-length", "content-security-policy", "content-type",
    "cross-origin-resource-policy", "date", "etag", "link", "referrer-policy", "retry-after", "server", "vary",
    "x-content-type-options",
}  # fmt: skip


def task_of(payload: str) -> str:
    """The payload as a task id, as far as one may be."""
    return payload if is_storable(payload) else payload.encode(errors="replace").decode()


def graph_of(payload: str) -> ExecutionGraph:
    """The graph of a run in which everything says this."""
    projection = EXECUTION_PROJECTIONS[0]
    task = task_of(payload)
    return projection.finish(fold(projection, recorded(task, payload), task), GraphQuery(depth=9))


def reported(
    reliability: ReliabilityReport,
    test: str,
    payloads: int,
    complaints: Mapping[str, list[str]] | Iterable[str],
) -> None:
    """Enter it; what was complained of is printed by payload."""
    told = complaints if isinstance(complaints, Mapping) else {"": [*complaints]}
    for payload, found in told.items():
        for complaint in found:
            print(f"{payload[:60]!a}: {complaint}")
    unexpected = sum(map(len, told.values()))
    reliability.add(test, Findings(bad_inputs=payloads, unexpected=unexpected))


def test_each_kind_of_payload_and_every_type_of_event_is_there() -> None:
    payloads = hostile_payloads(200)
    assert len(set(payloads)) == 200
    for part in ("<script>", "<svg", "%%{init", "digraph", "\x1b[", "=cmd", "\r\n", "\u202e", "\0", "\ud800"):
        assert any(part in payload for payload in payloads), part
    told = Counter(type(event.body).__name__ for event in recorded("t", payloads[0]))
    assert set(told) == {*(event_type.__name__ for event_type, _ in EVENT_TYPES), "Opaque"}


@sized(payloads=200)
def test_drawings_and_terminals(payloads: int, reliability: ReliabilityReport) -> None:
    """T32: JSON, the real Mermaid, the real Graphviz, tree, table and status; whole, and as folded parts."""
    benign = graph_of("harmless")
    complaints: dict[str, list[str]] = {}
    with RealParser() as parser:
        for payload in hostile_payloads(payloads):
            graph = graph_of(payload)
            found = complaints[payload] = []
            found += terminal_complaints(graph, benign)
            for part in (graph, shown(graph, view="failures", collapse=COLLAPSES)):
                (parsed,) = parser.parse([execution_graph_mermaid(part)])
                found += mermaid_complaints(part, parsed)
                found += dot_complaints(part)
                if json.loads(encode_graph(part))["task_id"] != task_of(payload):
                    found.append("json: another task")
    reported(reliability, "T32 drawings and terminals", payloads, complaints)


@sized(payloads=200)
async def test_answers_and_headers(payloads: int, reliability: ReliabilityReport) -> None:
    """T32: graphs, histories, timelines, statuses and problems; every header is one of ours."""
    log = MemoryLog()
    complaints: dict[str, list[str]] = {}
    async with client_of(executions_app(log)) as client:
        for payload in hostile_payloads(payloads):
            task = task_of(payload)
            await log.append([Append(TaskAddress(TaskId(task)), hostile_frame(task, payload))])
            found = complaints[payload] = []
            encoded, text = quote(task, safe=""), quote(payload.encode(errors="replace"), safe="")
            for word in WORDS:
                for target, status in (
                    (f"/executions/{word}?task_id={encoded}", 200),
                    (f"/executions/{word}?task_id=nobody{encoded}", 404),
                    (f"/executions/x/{word}?limit={text}&at={text}&cursor={text}&view={text}", None),
                    (f"/executions/{text}", 404),
                ):
                    found += answer_complaints(target, status, await client.get(target))
            page = await client.get(f"/executions/history?task_id={encoded}&limit=1")
            found += answer_complaints("link", 200, page)
            following = await client.get(f"/executions/history{page.headers['link'][1:].partition('>')[0]}")
            found += answer_complaints("following", 200, following)
            if following.json()["task_id"] != task:
                found.append("link: leads to another task")
    reported(reliability, "T32 answers and headers", payloads, complaints)


def answer_complaints(target: str, status: int | None, answer: httpx2.Response) -> list[str]:
    """JSON that no browser takes for a page, under headers that are ours and hold nothing of a user's."""
    found: list[str] = []
    if status is not None and answer.status_code != status:
        found.append(f"{target}: {answer.status_code}")
    if answer.status_code >= 500:
        found.append(f"{target}: {answer.status_code}")
    if {name.lower() for name in answer.headers} - HEADERS:
        found.append(f"{target}: headers {sorted(answer.headers)}")
    if any("forged" in value and name != "link" for name, value in answer.headers.items()):
        found.append(f"{target}: a header says it")
    if not all(value.isascii() and value.isprintable() for value in answer.headers.values()):
        found.append(f"{target}: a header holds more than text")
    if answer.headers["content-type"] not in ("application/json", "application/problem+json"):
        found.append(f"{target}: {answer.headers['content-type']}")
    if answer.headers["x-content-type-options"] != "nosniff":
        found.append(f"{target}: may be taken for a page")
    json.loads(answer.content)
    return found


@sized(payloads=200)
async def test_log_lines_and_metrics(payloads: int, reliability: ReliabilityReport) -> None:
    """T32: what relayna writes into a program's log, and the labels and exemplars of its metrics."""
    log = FaultyLog()
    log.unreadable = True
    complaints: dict[str, list[str]] = {}
    async with client_of(executions_app(log)) as client:
        for payload in hostile_payloads(payloads):
            found = complaints[payload] = metric_complaints(payload)
            with log_lines() as told:
                await client.get(f"/executions/{quote(task_of(payload), safe='')}/graph")
                await client.get("/executions/status", params={"task_id": task_of(payload)})
                await anyio.lowlevel.checkpoint()
                for event_type, _ in EVENT_TYPES:
                    write_last_resort(
                        hold(event_of(event_type, payload), payload, None), "closed", DEFAULT_TENANT
                    )
                GraphReports().built(without_births(graph_of(payload)), 1.0)
            found += told
    reported(reliability, "T32 log lines and metrics", payloads, complaints)


def event_of(event_type: type[msgspec.Struct], payload: str) -> Event:
    """An event that no stream will hold."""
    envelope = Envelope(event_id=EventId(payload), timestamp=Instant(0), task_id=TaskId(payload))
    return Event(envelope=envelope, body=filled(event_type, payload))


def without_births(graph: ExecutionGraph) -> ExecutionGraph:
    """A graph that is wrong, so that it is logged."""
    return msgspec.structs.replace(graph, edges=[], annotations={})
