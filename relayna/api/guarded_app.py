"""An ASGI app that answers only those who may read.

Owns that callers are known before anything else of a request is looked at, and that the app finds them again.
For apps that bring routes of their own; endpoints are guarded one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from relayna.api.access import Access, OpenAccess
from relayna.api.caller import Caller
from relayna.api.problems import NotAllowed, NotAuthenticated, answer_error
from relayna.errors import RelaynaError

__all__ = ["AsgiApp", "GuardedApp", "known_caller"]

AsgiApp = ASGIApp
"""Any ASGI application."""

_CALLER: Final = "relayna.caller"


class GuardedApp:
    """An ASGI app around `app`, for callers with the scope `read`.

    What `app` refuses before it answers, by raising one of our errors, is answered as a problem too.
    """

    def __init__(self, app: ASGIApp, access: Access | None = None) -> None:
        self._app = app
        self._access = access or OpenAccess()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer why not."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        try:
            caller = self._access.caller_of(request)
            if "read" not in caller.scopes:
                raise NotAllowed(caller.name, "read")
            await self._app({**scope, _CALLER: caller}, receive, send)
        except RelaynaError as error:
            await (await answer_error(request, error))(scope, receive, send)


def known_caller(scope: Mapping[str, Any]) -> Caller:  # Any: what ASGI puts into a scope
    """Who makes the request of this scope, as a `GuardedApp` found out. Raises `NotAuthenticated` behind none."""
    caller = scope.get(_CALLER)
    if not isinstance(caller, Caller):
        raise NotAuthenticated
    return caller
