"""Refusals of whatever asks, a request or a WebSocket, in the words of a problem. Owns how each is told."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from relayna.api.problems import answer_error
from relayna.api.responses import dressed

__all__ = ["ASKS", "refuse", "request_of"]

ASKS: Final = frozenset({"http", "websocket"})
"""Scopes of ASGI in which somebody asks for something."""

_POLICY_VIOLATION: Final = 1008


def request_of(scope: Scope) -> Request:
    """The request that opens a WebSocket is one like any other."""
    return Request({**scope, "type": "http", "method": scope.get("method", "GET")})


async def refuse(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer with the problem. A WebSocket is refused before it is open."""
    request = request_of(scope)
    response = dressed(await answer_error(request, error), request)
    if scope["type"] != "websocket":
        await response(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    if "websocket.http.response" in scope.get("extensions", {}):
        await socket.send_denial_response(response)
    else:  # a server that has no words for it
        await socket.close(_POLICY_VIOLATION)
