"""The lifespan for a host's own app, and the runtime that is found from the app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from api.serving import Serve, client_of, record
from fastapi import FastAPI
from servers import StoreUnderTest
from starlette.applications import Starlette
from starlette.routing import Mount

from relayna.api import create_relayna_lifespan, get_relayna_runtime
from relayna.api.lifespan import NoRuntime, RelaynaLifespan
from relayna.errors import InvalidSetting
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio

Host = Callable[[RelaynaLifespan], Starlette]


def lifespan_on(store: StoreUnderTest) -> RelaynaLifespan:
    return create_relayna_lifespan(redis_url=store.url, observation_store_prefix=store.prefix, shard_count=4)


async def recorded(store: StoreUnderTest, task_id: str) -> None:
    await record(RedisLog(store.url, prefix=store.prefix, shard_count=4), task_id, "processing", "completed")


@pytest.mark.parametrize("host", [Starlette, FastAPI])
async def test_a_host_serves_the_routes_while_its_lifespan_keeps_the_runtime_open(
    any_store: StoreUnderTest, serve: Serve, host: Callable[..., Starlette]
) -> None:
    await recorded(any_store, "order-7")
    app = host(lifespan=lifespan_on(any_store))
    app.router.routes.extend(get_relayna_runtime(app).routes())
    client = await serve(app)
    answer = await client.get("/executions/order-7/graph")
    assert (answer.status_code, answer.json()["summary"]["status"]) == (200, "completed")
    assert (await client.get("/readyz")).status_code in (200, 503)


@pytest.mark.parametrize("host", [Starlette, FastAPI])
async def test_the_runtime_is_there_before_the_app_is_up(
    any_store: StoreUnderTest, host: Callable[..., Starlette]
) -> None:
    lifespan = lifespan_on(any_store)
    app = host(lifespan=lifespan)
    before = get_relayna_runtime(app)
    assert before is lifespan.runtime
    async with lifespan(app):
        assert get_relayna_runtime(app) is before
        assert await before.observation_store.get_history("order-7") == []


async def test_it_works_inside_a_lifespan_of_the_hosts_own(any_store: StoreUnderTest) -> None:
    await recorded(any_store, "order-7")
    relayna = lifespan_on(any_store)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with relayna(app):
            yield

    app = Starlette(lifespan=lifespan, routes=[Mount("/tasks", routes=relayna.runtime.routes())])
    async with client_of(app) as client:
        assert (await client.get("/tasks/executions/order-7/graph")).status_code == 200
        assert get_relayna_runtime(app) is relayna.runtime


async def test_a_mount_whose_lifespan_does_not_run_says_so(any_store: StoreUnderTest, serve: Serve) -> None:
    inner = Starlette(lifespan=lifespan_on(any_store))
    inner.router.routes.extend(get_relayna_runtime(inner).routes())
    client = await serve(Starlette(routes=[Mount("/tasks", app=inner)]))
    answer = await client.get("/tasks/executions/order-7/graph")
    assert (answer.status_code, answer.json()["code"]) == (503, "log_not_open")
    assert "lifespan does not run" in answer.json()["hint"]


async def test_an_app_without_one_is_told_what_to_do() -> None:
    with pytest.raises(NoRuntime, match="create_relayna_lifespan"):
        get_relayna_runtime(Starlette())


async def test_what_cannot_be_a_store_is_refused_at_once() -> None:
    with pytest.raises(InvalidSetting, match="redis_url"):
        create_relayna_lifespan(redis_url="http://localhost")


async def test_the_observation_store_shows_within_its_bounds(any_store: StoreUnderTest) -> None:
    lifespan = create_relayna_lifespan(
        redis_url=any_store.url,
        observation_store_prefix=any_store.prefix,
        observation_store_ttl_seconds=60,
        observation_history_maxlen=3,
        shard_count=4,
    )
    store = lifespan.runtime.observation_store
    assert (store.ttl_seconds, store.history_maxlen) == (60, 3)
