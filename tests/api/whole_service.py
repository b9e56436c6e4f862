"""The whole service as it is served: every endpoint there is, tokens, limits and the guarded server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from api.serving import serving
from starlette.applications import Starlette

from relayna.api import create_app
from relayna.api.access import Access
from relayna.api.endpoint import Endpoint, routes_of
from relayna.api.runtime import RelaynaRuntime
from relayna.api.tokens import digest_of
from relayna.cli.http_protocol import MOST_HEAD_BYTES, GuardedHttp
from relayna.cli.socket_protocol import GuardedSocket

__all__ = ["guarded", "token_entry", "whole_app"]


def whole_app(
    runtime: RelaynaRuntime,
    *,
    access: Access | None = None,
    allow_writes: bool = False,
    more: Iterable[Endpoint] = (),
) -> Starlette:
    """The app of `relayna serve`, and endpoints of the test's own."""
    app = create_app(runtime, access=access, allow_writes=allow_writes)
    app.router.routes.extend(routes_of(more, access, allow_writes=allow_writes))
    return app


@asynccontextmanager
async def guarded(app: Any, protocol: type[GuardedHttp] = GuardedHttp) -> AsyncIterator[str]:
    """Serve the app as `relayna serve` does; gives the server's URL."""
    async with serving(
        app,
        http=protocol,
        ws=GuardedSocket,
        server_header=False,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    ) as url:
        yield url


def token_entry(name: str, token: str, *scopes: str, **more: str) -> str:
    """A token's entry in the file of tokens."""
    fields = "".join(f"{field} = {value!r}\n" for field, value in more.items())
    return f"[[token]]\nname = {name!r}\nsha256 = '{digest_of(token)}'\nscopes = {[*scopes]!r}\n{fields}\n"
