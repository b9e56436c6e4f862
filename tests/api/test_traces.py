"""Traces over HTTP: the analysis, the rows, uploads and what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio.to_thread
import httpx2
import msgspec
import pytest
from api.serving import Serve, app_on
from api.whole_service import guarded, token_entry, whole_app
from consumer.bench import Bench
from observability.kept_histories import keep
from observability.trace.diamond import check_diamond, record_diamond

from relayna.api.runtime import RelaynaRuntime
from relayna.api.tokens import TokenAccess, new_token
from relayna.consumer import TaskConsumer, TaskContext, TaskEnvelope
from relayna.ids import TaskId
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.observability.trace import TraceClient
from relayna.observability.trace.upload import MOST_LINE_BYTES
from relayna.projections.trace.profile import ProfileSummary
from relayna.streams import Log, MemoryLog, Recorder
from relayna.testing import history

pytestmark = pytest.mark.anyio

NDJSON = {"content-type": "application/x-ndjson"}


def span_line(name: str = "read", **more: Any) -> bytes:
    told = {"name": name, "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z", **more}
    return json.dumps(told).encode() + b"\n"


@pytest.fixture
async def writer(tmp_path: Path, log: Log) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that may do everything, of a service as `relayna serve` has it."""
    token, tokens = new_token(), tmp_path / "tokens.toml"
    tokens.write_text(token_entry("tester", token, "read", "record"), encoding="utf-8")
    app = whole_app(RelaynaRuntime(log=log), access=TokenAccess(tokens), allow_writes=True)
    headers = {"authorization": f"Bearer {token}"}
    async with guarded(app) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        yield client


async def test_the_diamond_is_analysed_to_its_figures(serve: Serve, log: Log) -> None:
    await record_diamond(log)
    client = await serve(app_on(log))
    answer = await client.get("/traces/sessions/a/analysis")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    check_diamond(msgspec.json.decode(answer.content, type=ProfileSummary))
    # A session is whole whichever of its tasks is named.
    assert (await client.get("/traces/sessions/analysis?session_id=d")).content == answer.content


async def test_its_rows_come_one_a_line(serve: Serve, log: Log) -> None:
    await record_diamond(log)
    client = await serve(app_on(log))

    async def rows(kind: str) -> list[dict[str, Any]]:
        answer = await client.get(f"/traces/sessions/a/{kind}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
        assert answer.content == (await client.get(f"/traces/sessions/{kind}?session_id=a")).content
        return [json.loads(line) for line in answer.content.splitlines()]

    spans = await rows("spans")
    assert len(spans) == 12
    assert len({span["context"]["trace_id"] for span in spans}) == 1
    assert len({span["context"]["span_id"] for span in spans}) == 12
    assert {span["attributes"]["data_id"] for span in spans} == set("abcd")
    assert [row["data_id"] for row in await rows("assets")] == ["a", "b", "c", "d"]
    sources = {(row["data_id"], row["source_data_id"]) for row in await rows("lineage")}
    assert sources == {("b", "a"), ("c", "a"), ("d", "b"), ("d", "c")}


async def test_what_was_downloaded_can_be_uploaded_and_is_analysed_alike(writer: httpx2.AsyncClient) -> None:
    elsewhere = MemoryLog()
    await record_diamond(elsewhere)
    runtime = RelaynaRuntime(log=elsewhere)
    async with elsewhere:
        before = await runtime.services.traces.analysis("a")
        for kind in ("spans", "assets", "lineage"):
            body = b"".join(await runtime.services.traces.lines("a", kind))
            for _ in range(2):  # sent again, it is the same
                answer = await writer.post(f"/traces/tasks/a/{kind}", content=body, headers=NDJSON)
                assert answer.status_code == 200
                told = answer.json()
                assert (told["task_id"], told["rows"], told["bad"], told["stopped"]) == ("a", kind, 0, None)
                assert told["accepted"] == body.count(b"\n")
    after = (await writer.get("/traces/sessions/a/analysis")).content
    assert msgspec.json.decode(after, type=ProfileSummary) == before


async def test_spans_of_a_pool_of_threads_are_of_one_trace(serve: Serve, log: Log) -> None:
    recorder = Recorder(log)

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        def work(number: int) -> None:
            with context.span(f"work {number}"):
                context.mark("here")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(40)))

    async with Bench(sink=lambda _: recorder) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        session = "0a8c6f5e-9a0b-4c1d-8e2f-001122334455"
        publish = partial(bench.client.publish_task, "photo", session_id=session)
        await bench.work_off(consumer, publish=publish)
        await recorder.durable()
    rows = (await (await serve(app_on(log))).get("/traces/sessions/photo/spans")).content.splitlines()
    spans = [json.loads(row) for row in rows]
    assert len(spans) == len({span["context"]["span_id"] for span in spans}) == 81
    assert {span["context"]["trace_id"] for span in spans} == {session.replace("-", "")}


async def test_a_task_that_records_nothing_is_analysed_by_its_attempts(serve: Serve, log: Log) -> None:
    parent = history("order-7", tick=1).published().attempt()
    await keep(log, parent.spawns("child").attempt().acked().events)
    client = await serve(app_on(log))
    found = (await client.get("/traces/sessions/order-7/analysis")).json()
    assert found["data_ids"] == ["child", "order-7"]
    assert found["critical_path"]["path"] == ["order-7", "child"]
    [child, _] = found["per_data_id"]
    assert (child["blocking_parent_data_id"], child["queuing_delay_seconds"]) == ("order-7", 1.0)


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("sessions/nobody/analysis", 404, "execution_not_found"),
        ("sessions/nobody/spans", 404, "execution_not_found"),
        ("sessions/spans?session_id=nobody", 404, "execution_not_found"),
        ("sessions/nobody/dreams", 400, "unknown_rows"),
        ("sessions/dreams?session_id=nobody", 400, "unknown_rows"),
        ("sessions/analysis", 422, "invalid_query"),
        ("sessions/spans", 422, "invalid_query"),
    ],
)
async def test_what_is_no_question_is_refused(serve: Serve, url: str, status: int, code: str) -> None:
    answer = await (await serve(app_on(MemoryLog()))).get(f"/traces/{url}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("task_id", ["order-7", "a/b spans", "é%/assets"])
async def test_an_upload_is_by_path_or_by_query(writer: httpx2.AsyncClient, task_id: str) -> None:
    by_path = f"/traces/tasks/{quote(task_id, safe='')}/spans"
    assert (await writer.post(by_path, content=span_line("one"), headers=NDJSON)).json()["accepted"] == 1
    by_query = await writer.post(
        "/traces/tasks/spans", params={"task_id": task_id}, content=span_line("two"), headers=NDJSON
    )
    assert by_query.json()["accepted"] == 1
    rows = await writer.get("/traces/sessions/spans", params={"session_id": task_id})
    assert {json.loads(line)["name"] for line in rows.content.splitlines()} == {"one", "two"}


@pytest.mark.parametrize(
    ("url", "headers", "status", "code"),
    [
        ("dreams", NDJSON, 400, "unknown_rows"),
        ("spans", {"content-type": "application/json"}, 415, "not_ndjson"),
        ("spans", {}, 415, "not_ndjson"),
    ],
)
async def test_what_is_no_upload_is_refused(
    writer: httpx2.AsyncClient, url: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await writer.post(f"/traces/tasks/order-7/{url}", content=span_line(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_bad_lines_are_told_and_left_out(writer: httpx2.AsyncClient) -> None:
    body = span_line("one") + b"{\n\n" + span_line("") + b'{"name": "no end"}\n' + span_line("two")[:-1]
    told = (await writer.post("/traces/tasks/order-7/spans", content=body, headers=NDJSON)).json()
    assert (told["accepted"], told["bad"], told["stopped"]) == (2, 3, None)
    assert [problem["line"] for problem in told["problems"]] == [2, 4, 5]


async def test_who_sent_it_is_told_in_the_stream(writer: httpx2.AsyncClient) -> None:
    await writer.post("/traces/tasks/order-7/spans", content=span_line(), headers=NDJSON)
    events = (await writer.get("/executions/order-7/history")).json()["events"]
    assert [event["event_type"] for event in events] == ["SpanEnded", "OperatorActed"]
    told = events[1]
    assert (told["action"], told["target_id"], told["actor"], told["outcome"]) == (
        "upload",
        "spans",
        "tester",
        "done",
    )


async def test_too_many_bad_lines_in_a_row_stop_it(writer: httpx2.AsyncClient) -> None:
    bad = b"{}\n" * 99
    body = span_line("one") + bad + span_line("two") + bad + b"{}\n" + span_line("three")
    told = (await writer.post("/traces/tasks/order-7/spans", content=body, headers=NDJSON)).json()
    assert (told["accepted"], told["bad"], told["stopped"]) == (2, 199, "too_many_bad_lines")
    assert len(told["problems"]) == 20


async def test_a_line_that_is_too_long_stops_it(writer: httpx2.AsyncClient) -> None:
    longest = span_line("long", attributes={"text": ""})[:-1]
    fits = longest.replace(b'"text": ""', b'"text": "%b"' % (b"x" * (MOST_LINE_BYTES - len(longest))))
    assert len(fits) == MOST_LINE_BYTES
    told = (
        await writer.post("/traces/tasks/t/spans", content=fits + b"\n" + span_line(), headers=NDJSON)
    ).json()
    assert (told["accepted"], told["stopped"]) == (2, None)
    body = span_line("first") + fits + b" \n" + span_line("last")
    told = (await writer.post("/traces/tasks/t/spans", content=body, headers=NDJSON)).json()
    assert (told["accepted"], told["stopped"]) == (1, "line_too_long")


async def test_nobody_writes_without_the_scope_or_while_writes_are_off(tmp_path: Path) -> None:
    token, tokens = new_token(), tmp_path / "tokens.toml"
    headers = {**NDJSON, "authorization": f"Bearer {token}"}
    for scope, allow_writes, code in (("replay", True, "not_allowed"), ("record", False, "writes_are_off")):
        tokens.write_text(token_entry("tester", token, scope), encoding="utf-8")
        app = whole_app(
            RelaynaRuntime(log=MemoryLog()), access=TokenAccess(tokens), allow_writes=allow_writes
        )
        async with guarded(app) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
            answer = await client.post("/traces/tasks/order-7/spans", content=span_line())
        assert (answer.status_code, answer.json()["code"]) == (403, code)


async def test_a_problem_never_quotes_a_whole_line(writer: httpx2.AsyncClient) -> None:
    line = b'{"data_id": "d", "' + b"k" * 100_000 + b'": 1}\n'
    answer = await writer.post("/traces/tasks/t-1/assets", content=line, headers=NDJSON)
    [problem] = answer.json()["problems"]
    assert answer.json()["bad"] == 1
    assert len(problem["problem"]) < 300


@pytest.mark.parametrize(
    ("lines", "stopped"), [([b"{}"] * 500_000, "too_many_bad_lines"), ([b"x" * 16_000_000], "line_too_long")]
)
async def test_an_upload_that_is_stopped_early_is_answered(
    tmp_path: Path, lines: list[bytes], stopped: str
) -> None:
    """Also to a client that sends all of it before it reads: what is left over must not break its connection."""
    token, tokens = new_token(), tmp_path / "tokens.toml"
    tokens.write_text(token_entry("tester", token, "record"), encoding="utf-8")
    app = whole_app(RelaynaRuntime(log=MemoryLog()), access=TokenAccess(tokens), allow_writes=True)
    async with guarded(app) as url:
        client = TraceClient(url, token=token)
        body = (b"\n".join(lines[start : start + 9_999]) for start in range(0, len(lines), 9_999))
        told = await anyio.to_thread.run_sync(client.upload, "order-7", "spans", body)
    assert (told.accepted, told.stopped) == (0, stopped)


async def test_an_answer_that_lacks_something_says_so(
    serve: Serve, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(runs: KnownRuns, session_id: str) -> list[TaskId]:
        return []  # they may be indexed by now, and then nothing is missing

    monkeypatch.setattr(KnownRuns, "ids_of_session", unknown)
    await record_diamond(log)
    client = await serve(app_on(log))
    questions = ("/traces/sessions/a/analysis", "/traces/sessions/a/spans")
    assert [(await client.get(one)).headers.get("relayna-missing") for one in questions] == [None, None]
    monkeypatch.setattr("relayna.observability.trace.trace_service._GENERATIONS", 1)
    answers = [await client.get(one) for one in questions]
    assert [one.headers.get("relayna-missing") for one in answers] == ["limit_reached"] * 2
