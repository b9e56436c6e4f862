"""Lists and statistics over HTTP: filters, pages, aliases, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import msgspec
import pytest
from api.serving import Serve, client_of, record
from observability.read_models.indexed_world import (
    World,
    memory_world,
    renamed_history,
    store_events,
    tasks_of,
)
from servers import StoreUnderTest
from starlette.applications import Starlette

from relayna.api import RelaynaRuntime, create_app
from relayna.api.aliases import HttpNames
from relayna.api.endpoint import routes_of
from relayna.api.lists import list_endpoints
from relayna.api.statistics import statistics_endpoints
from relayna.api.tenants import same_for_all
from relayna.observability.read_models import StatisticsService
from relayna.observability.read_models.told import (
    DeadLettersFound,
    ExecutionsListed,
    FailuresListed,
    StatisticsTold,
)
from relayna.streams.redis import RedisLog
from relayna.topologies import ContractAliasConfig

pytestmark = pytest.mark.anyio

EVENTS = [event for seed in range(12) for event in renamed_history(seed)]
PAGES = [
    ("/executions", "executions", ExecutionsListed),
    ("/failures", "failures", FailuresListed),
    ("/dead-letters", "dead_letters", DeadLettersFound),
]


def app_over(world: World, aliases: ContractAliasConfig | None = None) -> Starlette:
    service = StatisticsService(read_models=world.models, progress=world.progress(), clock=world.clock)
    names = HttpNames(aliases)
    endpoints = names.check(
        (
            *list_endpoints(same_for_all(world.lists()), names),
            *statistics_endpoints(same_for_all(service)),
        )
    )
    return Starlette(routes=routes_of(endpoints))


@pytest.fixture(scope="module")
async def world() -> World:
    made = memory_world()
    await store_events(made.log, EVENTS)
    await made.indexer().catch_up()
    return made


@pytest.fixture(scope="module")
async def client(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app_over(world)) as client:
        yield client


async def test_every_task_is_listed_once_over_all_pages(client: httpx2.AsyncClient) -> None:
    found: list[str] = []
    target = "/executions?limit=7&order=asc"
    while True:
        answer = await client.get(target)
        assert answer.status_code == 200
        page = msgspec.json.decode(answer.content, type=ExecutionsListed)
        found += [one.task_id for one in page.executions]
        link = answer.headers.get("link")
        assert (link is None) == (page.next is None)
        if link is None:
            break
        assert link.endswith('>; rel="next"')
        assert page.next in link
        target = f"/executions{link[1:].partition('>')[0]}"
    assert sorted(found) == tasks_of(EVENTS)


async def test_filters_are_answered(client: httpx2.AsyncClient) -> None:
    async def asked(query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await client.get(f"/executions?limit=200&{query}")).json()[
            "executions"
        ]
        return listed

    every = await asked("")
    failed = await asked("status=failed")
    assert {one["task_id"] for one in failed} == {
        one["task_id"] for one in every if one["status"] == "failed"
    }
    assert 0 < len(failed) < len(every)
    parent = next(one["parent_task_id"] for one in every if one["parent_task_id"])
    assert {one["parent_task_id"] for one in await asked(f"parent_task_id={parent}")} == {parent}
    middle = sorted(one["started_at"] for one in every)[len(every) // 2]
    since = await asked(f"since={middle.replace('+', '%2B')}")
    until = await asked(f"until={middle}")  # a plus that was not escaped is mended
    assert len(since) + len(until) == len(every)
    assert all(one["started_at"] >= middle for one in since)
    assert await asked("topology=shared_status_workflow") == []


async def test_failures_and_letters_are_of_all_tasks(client: httpx2.AsyncClient) -> None:
    failures = (await client.get("/failures?limit=200")).json()["failures"]
    assert [one["timestamp"] for one in failures] == sorted(
        (one["timestamp"] for one in failures), reverse=True
    )
    assert len({one["task_id"] for one in failures}) > 3
    some = (await client.get("/failures?exception_type=TimeoutError")).json()["failures"]
    assert {one["exception_type"] for one in some} == {"TimeoutError"}
    letters = (await client.get("/dead-letters?state=open")).json()["dead_letters"]
    assert letters
    assert {one["state"] for one in letters} == {"open"}


async def test_statistics_are_told(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/stats?days=3")
    told = msgspec.json.decode(answer.content, type=StatisticsTold)
    assert told.total.attempts == sum(queue.attempts for queue in told.queues) > 20
    assert told.since == "2025-12-30T00:00:00+00:00"
    assert (told.read.as_of, told.read.lag_ms) == ("2026-01-01T00:00:00+00:00", 0)


@pytest.mark.parametrize(("path", "listed", "shape"), PAGES)
async def test_every_answer_is_of_its_shape(
    client: httpx2.AsyncClient, path: str, listed: str, shape: type[Any]
) -> None:
    answer = await client.get(f"{path}?limit=3")
    assert answer.headers["content-type"] == "application/json"
    page = msgspec.json.decode(answer.content, type=shape)
    assert len(getattr(page, listed)) == 3
    assert msgspec.json.encode(page) == answer.content


@pytest.mark.parametrize(("path", "listed", "shape"), PAGES)
async def test_ids_go_by_their_alias(world: World, serve: Serve, path: str, listed: str, shape: type) -> None:
    aliases = ContractAliasConfig(http_aliases={"task_id": "order"}, field_aliases={"task_id": "order_id"})
    client = await serve(app_over(world, aliases))
    renamed = (await client.get(path)).json()
    plain = (await (await serve(app_over(world))).get(path)).json()
    assert [one["order_id"] for one in renamed[listed]] == [one["task_id"] for one in plain[listed]]
    assert "task_id" not in renamed[listed][0]


@pytest.mark.parametrize(
    "target",
    [
        "/executions?limit=0", "/executions?limit=201", "/executions?limit=many", "/executions?cursor=x",
        "/executions?sort=colour", "/executions?order=up", "/executions?since=noon", "/executions?topology=ring",
        "/executions?queue=%ff", "/executions?queue=a&queue=b", "/failures?until=noon", "/failures?cursor=",
        "/dead-letters?state=lost", "/stats?days=0", "/stats?days=367", "/stats?days=x",
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(client: httpx2.AsyncClient, target: str) -> None:
    answer = await client.get(target)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_query"


async def test_the_whole_service_lists_what_is_recorded(serve: Serve, any_store: StoreUnderTest) -> None:
    log = RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4)
    client = await serve(create_app(RelaynaRuntime(log=log)))
    await record(log, "order-7", "processing", "completed")
    with anyio.fail_after(30):
        while not (page := (await client.get("/executions?status=completed")).json())["executions"]:  # noqa: ASYNC110 - HTTP rings no bell
            await anyio.sleep(0.02)
    assert [one["task_id"] for one in page["executions"]] == ["order-7"]
    assert (await client.get("/stats")).json()["total"]["attempts"] == 0
