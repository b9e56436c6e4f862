"""Under which names a service may be asked, and by pages of whom.

Owns the looks at `Host` and `Origin`. A service that asks for no token needs the first: a page of a site that has
its own name lead to 127.0.0.1 (DNS rebinding) could read everything otherwise. A WebSocket needs the second: a
browser lets every page open one to anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from relayna.api.problems import RequestRefused
from relayna.api.refusing import ASKS, refuse

__all__ = ["LOOPBACK_HOSTS", "KnownHosts", "check_origin", "foreign_origin", "unknown_host"]

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


def unknown_host() -> RequestRefused:
    """421: the request was made under another name."""
    detail = "This service is not asked under the name that the Host header gives."
    hint = "Ask it as 127.0.0.1; with a token file it takes every name."
    return RequestRefused(421, "unknown_host", detail, hint)


def foreign_origin() -> RequestRefused:
    """403: a page of another site asks."""
    hint = "Open it from a page under the same name and port; a proxy in front has to hand on Host as it is."
    return RequestRefused(403, "foreign_origin", "A page of another site may not follow along here.", hint)


def check_origin(request: Request) -> None:
    """Raises `RequestRefused` for a request of a page that this service did not serve. Programs send no `Origin`."""
    origins, hosts = request.headers.getlist("origin"), request.headers.getlist("host")
    if not origins:
        return
    scheme, _, place = origins[0].strip().lower().partition("://")
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    own = [host.strip().lower() for host in hosts]
    if len(origins) > 1 or len(own) != 1 or not port or own[0].removesuffix(port) != place.removesuffix(port):
        raise foreign_origin()


class KnownHosts:
    """An ASGI app around `app` that is asked under these names alone, with any port."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK_HOSTS) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer that it is not for this service."""
        if scope["type"] not in ASKS or self._is_known(Headers(scope=scope).getlist("host")):
            await self._app(scope, receive, send)
            return
        await refuse(scope, receive, send, unknown_host())

    def _is_known(self, given: list[str]) -> bool:
        if len(given) != 1:
            return False
        host = given[0].strip().lower()
        name, _, port = host.rpartition(":")
        return host in self._hosts or (name in self._hosts and port.isdecimal())
