"""Fixtures of the HTTP API's tests: a log in memory and on a real server, and servers for apps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest
from api.serving import Serve, client_of
from servers import StoreUnderTest
from starlette.types import ASGIApp

from relayna.streams import Log, MemoryLog
from relayna.streams.redis import RedisLog


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves apps on loopback until the test ends; gives a client for each."""
    async with AsyncExitStack() as running:

        async def start(app: ASGIApp) -> httpx2.AsyncClient:
            return await running.enter_async_context(client_of(app))

        yield start


@pytest.fixture(params=["memory", "server"])
def log(request: pytest.FixtureRequest) -> Log:
    """A log that is not entered yet."""
    if request.param == "memory":
        return MemoryLog()
    store: StoreUnderTest = request.getfixturevalue("any_store")
    return RedisLog(store.url, prefix=store.prefix, shard_count=4)
