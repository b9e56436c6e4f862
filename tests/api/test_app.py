"""The app as a whole: liveness, what is nowhere, and its log's lifespan."""

from __future__ import annotations

import pytest
from api.serving import Serve, app_on, raw_get, serving
from starlette.routing import Match
from streams.faulty_log import FaultyLog

from relayna.streams import MemoryLog

pytestmark = pytest.mark.anyio


async def test_it_lives_without_anything_else(serve: Serve) -> None:
    client = await serve(app_on(MemoryLog()))
    answer = await client.get("/livez")
    assert (answer.status_code, answer.content) == (200, b'{"status":"ok"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/executions/graph", "/executions/a/graph", "/executions/history/graph"])
def test_graphs_are_found_first_and_nowhere_else(path: str) -> None:
    scope = {"type": "http", "method": "GET", "path": path}
    matches = [route.matches(scope)[0] for route in app_on(MemoryLog()).routes]
    assert Match.FULL in matches[:2]
    assert matches.count(Match.FULL) == 1


async def test_the_log_is_open_while_the_app_is_up() -> None:
    log = FaultyLog()
    async with serving(app_on(log)):
        assert log.open == 1
    assert log.open == 0


async def test_what_is_nowhere_is_a_problem_too(serve: Serve) -> None:
    client = await serve(app_on(MemoryLog()))
    for target in (
        "/",
        "/executions/",
        "/executions/graph/",
        "/livez/",
        "/executions/%0A/graph",
    ):
        answer = await raw_get(client, target)
        assert answer.status == 404
        assert b'"code":"no_such_route"' in answer.body
        assert b"/executions/graph?task_id=" in answer.body


async def test_nothing_is_written(serve: Serve) -> None:
    client = await serve(app_on(MemoryLog()))
    for target in ("/livez", "/executions/graph?task_id=x", "/executions/x/graph"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await client.request(method, target)
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
            assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD"]
