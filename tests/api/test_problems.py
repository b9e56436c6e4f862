"""Errors as HTTP answers: what a client is told, and what it is not."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import anyio
import pytest
from api.serving import Serve, app_on, client_of, record
from proxy import cutting_proxy
from servers import StoreUnderTest

from relayna.api.problems import problem_of, problem_response
from relayna.errors import (
    ExecutionNotFound,
    InvalidQuery,
    LogNotOpen,
    RelaynaError,
    ShardCountMismatch,
    StoreRefused,
    StoreUnreachable,
)
from relayna.streams import MemoryLog, StreamPage, StreamRange
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio

SECRET = "redis://user:hunter2@cache.internal:6379/0 in store/client.py"

GRAPH = "/executions/order-7/graph"


class BrokenLog(MemoryLog):
    """Breaks its contract: raises what no log may."""

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        raise RuntimeError(SECRET)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ExecutionNotFound("order-7"), 404, "execution_not_found"),
        (InvalidQuery("depth", "x is no number"), 422, "invalid_query"),
        (StoreUnreachable(SECRET, SECRET), 503, "store_unreachable"),
        (LogNotOpen(SECRET, SECRET), 503, "log_not_open"),
        (StoreRefused(f"GET {SECRET}", f"NOAUTH {SECRET}"), 503, "store_refused"),
        (ShardCountMismatch(SECRET, 1, 2), 500, "internal_error"),
        (RelaynaError(SECRET), 500, "internal_error"),
        (ValueError(SECRET), 500, "internal_error"),
    ],
)
def test_each_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    body = bytes(problem_response(problem).body)
    assert list(json.loads(body)) == ["type", "title", "status", "code", "detail", "hint"]
    assert all(json.loads(body).values())
    assert b"hunter2" not in body
    assert b"internal:6379" not in body


def test_only_what_stood_in_the_path_is_to_be_percent_encoded() -> None:
    error = InvalidQuery("task_id", "is not UTF-8")
    assert "percent-encode" in problem_of(error, in_path={"task_id": "x"}).hint
    assert problem_of(error, in_path={"run_id": "x"}).hint == "Correct it and ask again."


def test_only_what_passes_says_when_to_ask_again() -> None:
    assert problem_response(problem_of(StoreUnreachable("", ""))).headers["retry-after"] == "5"
    assert "retry-after" not in problem_response(problem_of(ValueError())).headers


@pytest.mark.parametrize("task_id", ["\ud800", '"', "\n", "\N{GHOST}", "</script>", "\0"])
def test_any_task_id_can_be_told(task_id: str) -> None:
    body = json.loads(bytes(problem_response(problem_of(ExecutionNotFound(task_id))).body))
    assert body["detail"] == f"Nothing is recorded for task {task_id!r}."


async def test_a_fault_of_ours_shows_nothing_and_is_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(app_on(BrokenLog()))
    answer = await client.get(GRAPH)

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "code": "internal_error",
        "detail": "The request could not be answered.",
        "hint": "It is a fault of the service; its log has the cause.",
    }
    [logged] = [one for one in caplog.records if one.name == "relayna.api"]
    assert logged.levelno == logging.ERROR
    assert logged.getMessage() == "GET '/executions/order-7/graph' failed"
    assert logged.exc_info is not None
    assert str(logged.exc_info[1]) == SECRET


@pytest.mark.fault
async def test_a_store_that_goes_away_is_unavailable_until_it_is_back(
    any_store: StoreUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    server = any_store.admin.connection_pool.connection_kwargs
    async with cutting_proxy(server["host"], server["port"]) as proxy:
        log = RedisLog(proxy.url, prefix=any_store.prefix, shard_count=4)
        await record(log, "order-7", "completed")
        async with client_of(app_on(log)) as client:
            before = await client.get(GRAPH)
            proxy.cutting = True
            during, alive = await client.get(GRAPH), await client.get("/livez")
            proxy.cutting = False
            after = await client.get(GRAPH)

    assert [answer.status_code for answer in (before, during, alive, after)] == [200, 503, 200, 200]
    assert during.headers["retry-after"] == "5"
    assert during.headers["content-type"] == "application/problem+json"
    assert during.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "store_unreachable",
        "detail": "The store does not answer.",
        "hint": "Ask again later; if it stays so, see that the store runs and can be reached.",
    }
    assert any(proxy.url in one.getMessage() for one in caplog.records)


@pytest.mark.fault
async def test_an_app_starts_without_its_store(any_store: StoreUnderTest) -> None:
    server = any_store.admin.connection_pool.connection_kwargs
    async with cutting_proxy(server["host"], server["port"]) as proxy:
        proxy.cutting = True
        log = RedisLog(proxy.url, prefix=any_store.prefix, shard_count=4)
        async with client_of(app_on(log)) as client:
            without = await client.get(GRAPH)
            proxy.cutting = False
            with anyio.fail_after(30):
                while (found := await client.get(GRAPH)).status_code == 503:
                    pass  # it is tried again, with a backoff

    assert (without.status_code, without.json()["code"]) == (503, "log_not_open")
    assert (found.status_code, found.json()["code"]) == (404, "execution_not_found")


async def test_a_stream_that_is_none_is_refused_and_harms_no_other(
    serve: Serve, any_store: StoreUnderTest
) -> None:
    log = RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4)
    await record(log, "other", "completed")
    await record(log, "order-7", "completed")
    [stream] = [key for key in any_store.all_keys() if "~order-7:" in key]
    any_store.admin.set(stream, "no stream", ex=60)
    client = await serve(app_on(log))
    answer = await client.get(GRAPH)

    assert (answer.status_code, answer.json()["code"]) == (503, "store_refused")
    assert (await client.get("/executions/other/graph")).status_code == 200
