"""History, timeline and status of a task over HTTP, over real connections."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from api.execution_routes import executions_app
from api.serving import Serve, raw_get, record
from observability.kept_histories import keep
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from relayna.api.caller import Caller, Scope
from relayna.errors import InvalidSetting
from relayna.streams import Append, Log, MemoryLog, TaskAddress
from relayna.testing import history
from relayna.topologies import ContractAliasConfig

pytestmark = pytest.mark.anyio

JOBS = ContractAliasConfig(http_aliases={"task_id": "job_id"}, field_aliases={"task_id": "jobId"})
WORDS = ("history", "timeline", "status")


class Scoped:
    """Lets everybody in, with these scopes."""

    def __init__(self, *scopes: Scope) -> None:
        self._scopes = frozenset(scopes)

    def caller_of(self, request: Request) -> Caller:
        return Caller(name="somebody", scopes=self._scopes)


async def keep_run(log: Log) -> int:
    """Keep a task that failed once, in the order that it happened; how many events it has."""
    attempt = history("order-7", tick=0.25).published().attempt().fails("TimeoutError", "no answer")
    events = attempt.retried(delay_ms=500).after(0.5).attempt().fails("KeyError").dead_lettered().events
    await keep(log, events)
    return len(events)


async def all_pages(client: httpx2.AsyncClient, url: str) -> list[Any]:
    """Every page's JSON, by `Link`, which says the same as `next`."""
    found = []
    while True:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        link = answer.headers.get("Link")
        assert (link is None) == (found[-1]["next"] is None)
        if link is None:
            return found
        target = re.fullmatch(r'<(\?[!-~]*)>; rel="next"', link)
        assert target is not None
        url = url.partition("?")[0] + target[1]


@pytest.mark.parametrize("url", ["/executions/order-7/history?", "/executions/history?task_id=order-7&"])
async def test_a_history_by_pages(serve: Serve, log: Log, url: str) -> None:
    client = await serve(executions_app(log))
    count = await keep_run(log)
    (whole,) = await all_pages(client, url)
    assert len(whole["events"]) == count
    assert whole["events"][0]["event_type"] == "TaskPublished"
    for more in ("limit=3", "limit=3&order=desc", "limit=1&event_type=TaskHandlerFailed,DeadLetterRecorded"):
        found = await all_pages(client, url + more)
        assert len(found) > 1
        events = [event for page in found for event in page["events"]]
        if "event_type" in more:
            assert [event["event_type"] for event in events] == [
                "TaskHandlerFailed",
                "TaskHandlerFailed",
                "DeadLetterRecorded",
            ]
        else:
            assert events == whole["events"][:: -1 if "desc" in more else 1]


@pytest.mark.parametrize("url", ["/executions/order-7/timeline?", "/executions/timeline?task_id=order-7&"])
async def test_a_timeline_by_pages(serve: Serve, log: Log, url: str) -> None:
    client = await serve(executions_app(log))
    await keep_run(log)
    (whole,) = await all_pages(client, url)
    assert [(one["offset_ms"], one.get("attempt"), one["text"]) for one in whole["entries"][:4]] == [
        (0, None, "published"),
        (250, 1, "received"),
        (500, 1, "status processing"),
        (750, 1, "the handler raised TimeoutError: no answer"),
    ]
    found = await all_pages(client, url + "limit=2")
    assert [entry for page in found for entry in page["entries"]] == whole["entries"]
    then = (await client.get(url + "at=2026-01-01T00:00:00.25%2B00:00")).json()
    assert then["lines"] == 2


@pytest.mark.parametrize("url", ["/executions/order-7/status", "/executions/status?task_id=order-7"])
async def test_where_a_task_stands(serve: Serve, log: Log, url: str) -> None:
    client = await serve(executions_app(log))
    await keep_run(log)
    answer = await client.get(url)
    told = answer.json()
    assert (told["task_id"], told["status"], told["state"]) == ("order-7", "failed", "failed")
    assert (told["attempts"], told["retries"], told["dead_letters"]) == (2, 1, 1)
    assert told["last_failure"]["exception_type"] == "KeyError"
    assert (told["running"], told["waits_for"], told["graph_completeness"]) == ([], [], "full")
    again = await client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    await record(log, "order-7", "completed")
    changed = await client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (changed.status_code, changed.json()["dead_letters"]) == (200, 1)


async def test_the_tag_of_a_graph_is_none_of_a_status(serve: Serve) -> None:
    log = MemoryLog()
    client = await serve(executions_app(log))
    await keep_run(log)
    graph = await client.get("/executions/order-7/graph?depth=0&max_nodes=50000")
    headers = {"If-None-Match": graph.headers["ETag"]}
    assert (await client.get("/executions/order-7/status", headers=headers)).status_code == 200


async def test_payloads_need_their_scope(serve: Serve) -> None:
    log = MemoryLog()
    await keep_run(log)
    asked = "/executions/order-7/history?event_type=DeadLetterRecorded"
    reader = await serve(executions_app(log, access=Scoped("read")))
    (event,) = (await reader.get(asked)).json()["events"]
    assert not {"headers", "body"} & set(event)
    assert (await (await serve(executions_app(log, access=Scoped("payloads")))).get(asked)).status_code == 403


ASKED = [
    ("history", "limit=0", "limit"),
    ("history", "limit=201", "limit"),
    ("history", "limit=x", "limit"),
    ("history", "order=", "order"),
    ("history", "order=up", "order"),
    ("history", "event_type=Nothing", "event_type"),
    ("history", "event_type=", "event_type"),
    ("history", "after=x", "after"),
    ("history", "until=9-9-9", "until"),
    ("history", "cursor=", "cursor"),
    ("history", "cursor=%00", "cursor"),
    ("timeline", "limit=1001", "limit"),
    ("timeline", "cursor=nothing", "cursor"),
    ("timeline", "at=soon", "at"),
]


@pytest.mark.parametrize(("word", "asked", "parameter"), ASKED)
async def test_questions_without_meaning(serve: Serve, word: str, asked: str, parameter: str) -> None:
    log = MemoryLog()
    await keep_run(log)
    answer = await (await serve(executions_app(log))).get(f"/executions/order-7/{word}?{asked}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")
    assert f"Parameter {parameter!r}" in answer.json()["detail"]


@pytest.mark.parametrize("word", WORDS)
async def test_what_is_not_there(serve: Serve, log: Log, word: str) -> None:
    client = await serve(executions_app(log))
    answer = await client.get(f"/executions/nobody/{word}")
    assert (answer.status_code, answer.json()["code"]) == (404, "execution_not_found")
    answer = await client.get(f"/executions/{word}")
    assert answer.status_code == 422
    assert f"/executions/{word}?task_id=order-7" in answer.json()["detail"]


@pytest.mark.parametrize("word", WORDS)
async def test_records_that_nobody_can_read_are_answers_too(serve: Serve, log: Log, word: str) -> None:
    client = await serve(executions_app(log))
    async with log:
        await log.append([Append(TaskAddress("order-7"), b"\xff no frame")])  # type: ignore[arg-type]
    assert (await client.get(f"/executions/order-7/{word}")).status_code == 200


def tasks_in(value: object, field: str) -> Iterator[str]:
    """What every field of this name holds, at any level."""
    if isinstance(value, dict):
        yield from (inner for name, inner in value.items() if name == field)
        for inner in value.values():
            yield from tasks_in(inner, field)
    elif isinstance(value, list):
        for inner in value:
            yield from tasks_in(inner, field)


@pytest.mark.parametrize("word", WORDS)
async def test_tasks_are_called_as_the_contract_does(serve: Serve, word: str) -> None:
    log = MemoryLog()
    attempt = history("order-7").published().attempt()
    attempt.status("half", meta={"task_id": "mine"})
    attempt.spawns("page-1")
    await keep(log, attempt.events)
    plain = await serve(executions_app(log))
    named = await serve(executions_app(log, aliases=JOBS))
    expected = (await plain.get(f"/executions/order-7/{word}")).json()
    for url in (f"/executions/order-7/{word}", f"/executions/{word}?job_id=order-7"):
        answer = (await named.get(url)).json()
        assert "order-7" in set(tasks_in(answer, "jobId"))
        assert set(tasks_in(answer, "task_id")) <= {"mine"}
        assert json.loads(json.dumps(answer).replace('"jobId":', '"task_id":')) == expected
    if word == "history":
        assert "mine" in set(tasks_in(answer, "task_id"))
        page = await named.get("/executions/history?job_id=order-7&limit=1")
        assert page.headers["Link"].startswith("<?job_id=order-7&limit=1&cursor=")


@pytest.mark.parametrize("name", ["order", "event_type", "after", "until", "limit", "cursor", "at"])
def test_parameters_that_tasks_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidSetting, match="something else"):
        executions_app(MemoryLog(), aliases=ContractAliasConfig(http_aliases={"task_id": name}))


@pytest.mark.parametrize(
    "name",
    [
        "events", "next", "trimmed", "entries", "text", "since", "waits_for", "due_at", "state", "event_type",
        "position", "withheld", "child_task_id", "ref", "queue_name",
    ],
)  # fmt: skip
def test_fields_that_tasks_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidSetting, match="something else"):
        executions_app(MemoryLog(), aliases=ContractAliasConfig(field_aliases={"task_id": name}))


TASK_IDS = [
    "a/history", "history", "a/history/b", "history/history", "graph", "a/graph", "graph/history", "status", "timeline",
    "a/status", "/history", "history/", "a//status", "", "a?b", "a b", "..", "%2e", "\N{GHOST}", "T:1", "a%2Fhistory",
    "executions/x/history", "live", "dead-letters",
]  # fmt: skip


async def test_ids_that_end_like_routes_are_told_apart(serve: Serve) -> None:
    log = MemoryLog()
    for number, task_id in enumerate(TASK_IDS):
        await record(log, task_id, f"status {number}")
    client = await serve(executions_app(log))
    for word in WORDS:
        for number, task_id in enumerate(TASK_IDS):
            encoded = quote(task_id, safe="")
            for target in (f"/executions/{encoded}/{word}", f"/executions/{word}?task_id={encoded}"):
                answer = await raw_get(client, target)
                assert answer.status == 200, target
                assert json.loads(answer.body)["task_id"] == task_id
                assert f"status {number}" in answer.body.decode()


@pytest.mark.parametrize(
    ("target", "task_id", "told"),
    [
        ("/executions/a/history/graph", "a/history", "nodes"),
        ("/executions/a/graph/history", "a/graph", "events"),
        ("/executions/history/history", "history", "events"),
        ("/executions/history/status", "history", "waits_for"),
        ("/executions/graph/timeline", "graph", "entries"),
        ("/executions/graph/graph", "graph", "nodes"),
        ("/executions//status", "", "waits_for"),
        ("/executions/a%2Fhistory/history", "a/history", "events"),
        ("/executions/a%252Fhistory/history", "a%2Fhistory", "events"),
    ],
)
async def test_the_last_word_says_what_is_asked_for(
    serve: Serve, target: str, task_id: str, told: str
) -> None:
    log = MemoryLog()
    for one in TASK_IDS:
        await record(log, one, "queued")
    answer = json.loads((await raw_get(await serve(executions_app(log)), target)).body)
    assert answer["task_id"] == task_id
    assert told in answer


async def test_a_slash_too_many_leads_nowhere_else(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "a", "queued")
    client = await serve(executions_app(log))
    for word in WORDS:
        assert (await raw_get(client, f"/executions/a/{word}/")).status == 404


async def test_links_hold_behind_a_prefix(serve: Serve) -> None:
    log = MemoryLog()
    await keep_run(log)
    client = await serve(Starlette(routes=[Mount("/inner", executions_app(log))]))
    assert len(await all_pages(client, "/inner/executions/order-7/history?limit=5")) > 1


async def test_no_answer_carries_what_a_client_made_up(serve: Serve) -> None:
    log = MemoryLog()
    evil = 'a"><script>\r\nX-Forged: 1'
    await record(log, evil, *["queued"] * 3)
    client = await serve(executions_app(log))
    answer = await client.get("/executions/history", params={"task_id": evil, "limit": "1", "forged": evil})
    assert answer.status_code == 200
    assert "X-Forged" not in answer.headers
    assert not set('"<>\r\n') & set(answer.headers["Link"].split(";")[0].strip("<>"))
    assert "forged" not in answer.headers["Link"]
    following = await client.get("/executions/history" + answer.headers["Link"].split(">")[0].strip("<"))
    assert following.json()["task_id"] == evil
