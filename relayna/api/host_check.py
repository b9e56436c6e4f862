"""Under which names a service may be asked.

Owns the look at `Host`. A service that asks for no token needs it: a page of a site that has its own name lead
to 127.0.0.1 (DNS rebinding) could read everything otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from relayna.api.problems import RequestRefused, answer_error

__all__ = ["LOOPBACK_HOSTS", "KnownHosts", "unknown_host"]

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


def unknown_host() -> RequestRefused:
    """421: the request was made under another name."""
    detail = "This service is not asked under the name that the Host header gives."
    hint = "Ask it as 127.0.0.1; with a token file it takes every name."
    return RequestRefused(421, "unknown_host", detail, hint)


class KnownHosts:
    """An ASGI app around `app` that is asked under these names alone, with any port."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK_HOSTS) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer that it is not for this service."""
        if scope["type"] != "http" or self._is_known(Request(scope).headers.getlist("host")):
            await self._app(scope, receive, send)
            return
        await (await answer_error(Request(scope), unknown_host()))(scope, receive, send)

    def _is_known(self, given: list[str]) -> bool:
        if len(given) != 1:
            return False
        host = given[0].strip().lower()
        name, _, port = host.rpartition(":")
        return host in self._hosts or (name in self._hosts and port.isdecimal())
