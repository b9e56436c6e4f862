"""The router inside apps that are not ours, in each of the ways that work, with and without a prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api.serving import Serve, app_on, path_of, raw_get, record
from fastapi import APIRouter, FastAPI
from servers import StoreUnderTest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Router
from starlette.types import ASGIApp

from relayna.api import create_execution_router
from relayna.observability import ExecutionGraphService
from relayna.streams import Log, MemoryLog
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio


async def host_answers(request: Request, error: Exception) -> Response:
    """A host's own way to answer errors, which must not get hold of ours."""
    return PlainTextResponse("the host's own words", status_code=418)


def host(kind: type[Starlette], log: Log) -> Any:  # Any: Starlette and FastAPI share too little of a type
    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with log:
            yield

    handlers = {Exception: host_answers, HTTPException: host_answers}
    return kind(lifespan=lifespan, exception_handlers=handlers)


def extended(kind: type[Starlette], log: Log, router: Router, prefix: str) -> ASGIApp:
    app = host(kind, log)
    app.router.routes.extend(router.routes)
    return app  # type: ignore[no-any-return]


def mounted(kind: type[Starlette], log: Log, router: Router, prefix: str) -> ASGIApp:
    app = host(kind, log)
    app.mount(prefix, router)
    return app  # type: ignore[no-any-return]


def mounted_routes(kind: type[Starlette], log: Log, router: Router, prefix: str) -> ASGIApp:
    app = host(kind, log)
    app.router.routes.append(Mount(prefix, routes=router.routes))
    return app  # type: ignore[no-any-return]


def included(kind: type[Starlette], log: Log, router: Router, prefix: str) -> ASGIApp:
    app = host(kind, log)
    app.include_router(APIRouter(routes=router.routes), prefix=prefix)
    return app  # type: ignore[no-any-return]


def mounted_app(kind: type[Starlette], log: Log, router: Router, prefix: str) -> ASGIApp:
    app = host(kind, log)
    app.mount(prefix, app_on(log))
    return app  # type: ignore[no-any-return]


WAYS = [
    (Starlette, extended, ""),
    (Starlette, mounted, ""),
    (Starlette, mounted, "/ops"),
    (Starlette, mounted_routes, "/ops/v1"),
    (Starlette, mounted_app, "/ops"),
    (FastAPI, extended, ""),
    (FastAPI, mounted, ""),
    (FastAPI, mounted, "/ops"),
    (FastAPI, included, ""),
    (FastAPI, included, "/ops/v1"),
    (FastAPI, mounted_app, "/ops"),
]

TASK_IDS = [
    "order-7",
    "a/b",
    "a%2Fb",
    "..",
    "graph",
    "x/graph",
    "/ops",
    "/ops/executions/y/graph",
    "\N{GHOST}",
]


@pytest.mark.parametrize(("kind", "way", "prefix"), WAYS)
async def test_every_task_is_found(
    serve: Serve, kind: type[Starlette], way: Callable[..., ASGIApp], prefix: str
) -> None:
    log = MemoryLog()
    for task_id in TASK_IDS:
        await record(log, task_id, "completed")
    router = create_execution_router(execution_graph_service=ExecutionGraphService(log=log))
    client = await serve(way(kind, log, router, prefix))
    by_path = [await raw_get(client, prefix + path_of(task_id)) for task_id in TASK_IDS]
    by_query = [
        await client.get(f"{prefix}/executions/graph", params={"task_id": task_id}) for task_id in TASK_IDS
    ]

    assert [answer.status for answer in by_path] == [200] * len(TASK_IDS)
    assert [answer.json()["task_id"] for answer in by_query] == TASK_IDS
    assert [answer.body for answer in by_path] == [answer.content for answer in by_query]


@pytest.mark.parametrize(("kind", "way", "prefix"), WAYS)
async def test_errors_are_answered_our_way(
    serve: Serve, kind: type[Starlette], way: Callable[..., ASGIApp], prefix: str
) -> None:
    log = MemoryLog()
    router = create_execution_router(execution_graph_service=ExecutionGraphService(log=log))
    client = await serve(way(kind, log, router, prefix))
    answers = [
        await client.get(f"{prefix}/executions/order-7/graph"),
        await client.get(f"{prefix}/executions/order-7/graph?depth=x"),
        await client.get(f"{prefix}/executions/order-7/graph", headers={"accept": "image/png"}),
    ]

    assert [answer.status_code for answer in answers] == [404, 422, 406]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    head = await client.head(f"{prefix}/executions/order-7/graph")
    assert (head.status_code, head.content) == (404, b"")


async def test_a_host_that_does_not_open_the_log_is_told_to(serve: Serve, any_store: StoreUnderTest) -> None:
    log = RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4)
    client = await serve(Starlette(routes=[Mount("/ops", app=app_on(log))]))
    answer = await client.get("/ops/executions/order-7/graph")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "log_not_open",
        "detail": "The log is not open.",
        "hint": "A mounted app's lifespan does not run: open the log in the host's (async with log). "
        "Where it does run, the store has not answered yet.",
    }
    assert (await client.get("/ops/livez")).status_code == 200
