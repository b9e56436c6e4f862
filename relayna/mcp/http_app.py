"""The tools over streamable HTTP, as an ASGI app for a host.

Owns when it answers and whom. The protocol is the SDK's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from relayna.api.access import Access
from relayna.api.guarded_app import AsgiApp, GuardedApp, known_caller
from relayna.api.host_check import LOOPBACK_HOSTS
from relayna.api.problems import RequestRefused
from relayna.api.runtime import RelaynaRuntime
from relayna.mcp.server import http_sessions, make_server

__all__ = ["McpApp", "create_mcp_app"]


class McpApp:
    """An ASGI app. Enter it (`async with app`) for as long as it is to answer; until then requests get 503."""

    def __init__(
        self,
        runtime: RelaynaRuntime,
        *,
        access: Access | None,
        hosts: frozenset[str],
        origins: frozenset[str],
    ) -> None:
        self._server = make_server(lambda scope: runtime.services_of(known_caller(scope or {})))
        self._hosts = hosts
        self._origins = origins
        self._guarded = GuardedApp(self._answer, access)
        self._app: AsgiApp | None = None
        self._entered: AsyncExitStack | None = None

    # Any: ASGI's own types.
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self._guarded(scope, receive, send)

    async def __aenter__(self) -> Self:
        """Begin to answer."""
        app, running = http_sessions(self._server, hosts=self._hosts, origins=self._origins)
        async with AsyncExitStack() as entering:
            await entering.enter_async_context(running)
            self._app, self._entered = app, entering.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End requests at hand, and answer no more."""
        self._app = None
        if self._entered is not None:
            entered, self._entered = self._entered, None
            await entered.__aexit__(kind, error, traceback)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            hint = "A host enters it in its lifespan: async with mcp_app."
            raise RequestRefused(503, "mcp_not_open", "The MCP server is not open.", hint)
        await self._app(scope, receive, send)


def create_mcp_app(
    runtime: RelaynaRuntime,
    *,
    access: Access | None = None,
    hosts: Iterable[str] = LOOPBACK_HOSTS,
    origins: Iterable[str] = (),
) -> McpApp:
    """The tools over streamable HTTP, to be put into a Starlette or FastAPI app that keeps the runtime open.

        app.router.routes.append(Route("/mcp", endpoint=mcp_app))

    `access` says who may ask, and with it of which tenant; by default all who reach the app. `hosts` are the
    names under which it may be asked, without ports; `origins` the pages that may, by default none: both keep
    a page of another site from reading what the browser's owner can reach. Raises `McpNotInstalled`.
    """
    return McpApp(runtime, access=access, hosts=frozenset(hosts), origins=frozenset(origins))
