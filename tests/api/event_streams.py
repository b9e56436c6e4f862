"""What the tests of live executions over HTTP stand on: an app with a hub, and a reader of event streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from msgspec import Struct
from starlette.applications import Starlette

from relayna.api.access import Access
from relayna.api.aliases import HttpNames
from relayna.api.endpoint import routes_of
from relayna.api.executions import graph_endpoints
from relayna.api.live import live_endpoints
from relayna.api.tenants import same_for_all
from relayna.observability import ExecutionGraphService
from relayna.observability.live import LiveHub, LiveLimits, Pace
from relayna.streams import Log
from relayna.topologies import ContractAliasConfig

__all__ = ["EventReader", "ToldEvent", "following", "live_app"]

_QUICK = Pace(interval_seconds=0.001, rest_factor=0)


def live_app(
    log: Log,
    *,
    limits: LiveLimits | None = None,
    aliases: ContractAliasConfig | None = None,
    access: Access | None = None,
) -> Starlette:
    """An app with graphs and live executions; its hub is `app.state.hub`."""
    service, names = same_for_all(ExecutionGraphService(log=log)), HttpNames(aliases)
    hub = LiveHub(log, limits=limits or LiveLimits(pace=_QUICK))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with log, hub:
            yield

    routes = routes_of([*graph_endpoints(service, names), *live_endpoints(service, hub, names)], access)
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.hub = hub
    return app


class ToldEvent(Struct, frozen=True):
    """One event of a stream."""

    event: str
    id: str | None
    text: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)


class EventReader:
    """Reads events, one after the other."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.pings = 0
        self._lines = response.aiter_lines()

    async def next(self) -> ToldEvent | None:
        """The next event; None when the stream has ended."""
        fields: dict[str, str] = {}
        with anyio.fail_after(20):
            async for line in self._lines:
                name, _, value = line.partition(":")
                if line and name:
                    fields[name] = value.removeprefix(" ")
                elif line:
                    self.pings += 1
                elif fields:
                    return ToldEvent(fields["event"], fields.get("id"), fields["data"])
        return None

    async def until(self, event: str) -> ToldEvent:
        """The next event of this kind."""
        while (told := await self.next()) is None or told.event != event:
            assert told is not None, f"the stream ended before {event}"
        return told


@asynccontextmanager
async def following(
    client: httpx2.AsyncClient, path: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[EventReader]:
    """Follow while the context lasts."""
    async with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, (await response.aread()).decode()
        yield EventReader(response)
