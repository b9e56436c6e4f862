"""Any task id is addressable: hostile ids over TCP, by path where a path can hold them and by query always."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2
import pytest
from api.serving import Answer, Serve, app_on, client_of, path_of, raw_get, record
from starlette.types import ASGIApp

from relayna.streams import Log, MemoryLog

pytestmark = pytest.mark.anyio

TASK_IDS = [
    "a/b", "a%2Fb", "a%252Fb", "/", "/a", "a/", "a//b", "..", ".", "../..", "%2e%2e", "{x}", "}", "{", "{task_id}",
    "line\nbreak", "\n", "break\n", "\r\n", "tab\tnul\0", "\0", "\N{GHOST}", "e\u0301", "\u00e9", "\ufffd", "\u202e",
    "x" * 500, "\N{GHOST}" * 125, "T:1", "T", "1", "graph", "x/graph", "graph/graph", "x/graph/y", "/graph",
    "executions/x/graph", "a b", " ", "+", "a+b", "?", "a?task_id=b", "#", "&", "=", ";", "%", "%00", "~", "*",
    "", "http://127.0.0.1/", "\u00ff", "undefined", "null",
]  # fmt: skip


def told(answer: Answer | httpx2.Response) -> tuple[str, str] | int:
    """The task and the status that a graph tells of; the HTTP status when it is none."""
    status, body = answer if isinstance(answer, Answer) else (answer.status_code, answer.content)
    if status != 200:
        return status
    graph = json.loads(body)
    return graph["task_id"], graph["summary"]["status"]


async def app_with_all(log: Log) -> ASGIApp:
    """An app in which each id has a status of its own."""
    for number, task_id in enumerate(TASK_IDS):
        await record(log, task_id, f"status {number}")
    return app_on(log)


EXPECTED = {task_id: (task_id, f"status {number}") for number, task_id in enumerate(TASK_IDS)}


async def test_each_is_addressed_by_query(serve: Serve, log: Log) -> None:
    client = await serve(await app_with_all(log))
    found = {
        task_id: told(await client.get("/executions/graph", params={"task_id": task_id}))
        for task_id in TASK_IDS
    }
    assert found == EXPECTED


async def test_each_without_a_newline_is_addressed_by_path(serve: Serve, log: Log) -> None:
    client = await serve(await app_with_all(log))
    found = {task_id: told(await raw_get(client, path_of(task_id))) for task_id in TASK_IDS}
    assert found == {task_id: 404 if "\n" in task_id else expected for task_id, expected in EXPECTED.items()}


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """Of an app whose log is in memory."""
    async with client_of(await app_with_all(MemoryLog())) as client:
        yield client


@pytest.mark.parametrize(
    ("target", "task_id"),
    [
        ("/executions/a/b/graph", "a/b"),
        ("/executions/a%2fb/graph", "a/b"),
        ("/executions/a%2Fb/graph", "a/b"),
        ("/executions/a%252Fb/graph", "a%2Fb"),
        ("/executions/a%25252Fb/graph", "a%252Fb"),
        ("/executions/%61%2F%62/%67raph", "a/b"),
        ("/executions/../graph", ".."),
        ("/executions/./graph", "."),
        ("/executions/%2e%2e/graph", ".."),
        ("/executions/%252e%252e/graph", "%2e%2e"),
        ("/executions/{x}/graph", "{x}"),
        ("/executions/x/graph/graph", "x/graph"),
        ("/executions/x%2Fgraph/graph", "x/graph"),
        ("/executions/x/graph/y/graph", "x/graph/y"),
        ("/executions/graph/graph", "graph"),
        ("/executions/graph/graph/graph", "graph/graph"),
        ("/executions/graph?task_id=graph", "graph"),
        ("/executions//graph", ""),
        ("/executions/graph?task_id=", ""),
        ("/executions/T:1/graph", "T:1"),
        ("/executions/a+b/graph", "a+b"),
        ("/executions/a%20b/graph", "a b"),
        ("/executions/graph?task_id=a+b", "a b"),
        ("/executions/graph?task_id=a%2Bb", "a+b"),
        ("/executions/graph?task_id=a/b", "a/b"),
        ("/executions/graph?task_id=;", ";"),
    ],
)
async def test_each_spelling_leads_to_one_task(client: httpx2.AsyncClient, target: str, task_id: str) -> None:
    assert told(await raw_get(client, target)) == EXPECTED[task_id]


@pytest.mark.parametrize("encoded", ["%FF", "%ED%A0%80", "%C0%AF", "%FFx", "%EF%BF"])
@pytest.mark.parametrize("target", ["/executions/{}/graph", "/executions/graph?task_id={}"])
async def test_what_is_not_utf8_leads_to_no_task(
    client: httpx2.AsyncClient, target: str, encoded: str
) -> None:
    answer = await raw_get(client, target.format(encoded))
    assert answer.status == 422
    assert json.loads(answer.body)["detail"] == "Parameter 'task_id': is not UTF-8."


@pytest.mark.parametrize("target", ["/executions/graph", "/executions/graph?", "/executions/graph?task_id"])
async def test_the_query_form_needs_its_parameter(client: httpx2.AsyncClient, target: str) -> None:
    assert told(await raw_get(client, target)) == (EXPECTED[""] if target.endswith("task_id") else 422)


@pytest.mark.parametrize("task_id", ["a?b", "/", "x/graph"])
async def test_a_slash_too_many_leads_nowhere_else(client: httpx2.AsyncClient, task_id: str) -> None:
    assert told(await raw_get(client, f"/executions/{quote(task_id, safe='')}/graph/")) == 404


def test_no_two_ids_are_one() -> None:
    assert len(set(TASK_IDS)) == len(TASK_IDS) == len(EXPECTED)
