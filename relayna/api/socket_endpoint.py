"""An endpoint over WebSocket is a value: a path, and what is said to whoever opens it.

Owns that callers are known before a WebSocket is open, that pages of other sites open none, and that a client which
takes nothing is let go. What is said, the subscription knows. A socket here only tells: who talks to it is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, TypeAlias

import anyio
from msgspec import Struct
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from relayna.api.access import Access, OpenAccess
from relayna.api.caller import Scope
from relayna.api.endpoint import ApiRequest
from relayna.api.event_stream import Followed, Wording
from relayna.api.host_check import check_origin
from relayna.api.problems import NotAllowed
from relayna.api.query import QueryParameters
from relayna.api.refusing import refuse, request_of

__all__ = ["SocketEndpoint", "Telling", "socket_routes_of"]

_logger = logging.getLogger("relayna.live")

_SECONDS_TO_TAKE_A_MESSAGE: Final = 30.0
_ENDED: Final = 1000
_ONLY_TELLS: Final = 1003
_SERVER_STOPS: Final = 1012


class Telling(Struct, frozen=True):
    """What is said to one who listens."""

    subscription: Followed[Any]  # Any: messages that the wording knows
    wording: Wording[Any]
    is_end: Callable[[Any], bool]
    """Whether nothing comes after this message because there is nothing more."""


Opens: TypeAlias = Callable[[ApiRequest], Awaitable[Telling]]


class SocketEndpoint(Struct, frozen=True, kw_only=True):
    """One path."""

    path: str
    """As Starlette spells it, with `{name:path}` for ids that may hold slashes."""
    name: str
    opens: Opens
    """Raises what is answered instead of opening it."""
    scope: Scope = "read"
    """What a caller needs."""


def socket_routes_of(
    endpoints: Iterable[SocketEndpoint], access: Access | None = None
) -> list[WebSocketRoute]:
    """Routes in the order given. Each answers for its own errors, as problems in answer to the opening request."""
    access = access or OpenAccess()
    return [
        WebSocketRoute(endpoint.path, partial(_serve, endpoint, access), name=endpoint.name)
        for endpoint in endpoints
    ]


async def _serve(endpoint: SocketEndpoint, access: Access, socket: WebSocket) -> None:
    request = request_of(socket.scope)
    try:
        check_origin(request)
        caller = access.caller_of(request)
        if endpoint.scope not in caller.scopes:
            raise NotAllowed(caller.name, endpoint.scope)
        telling = await endpoint.opens(ApiRequest(request, caller, QueryParameters.of(request)))
    except Exception as error:  # noqa: BLE001 - it is logged, and a host might show what is inside
        await refuse(socket.scope, socket.receive, socket.send, error)
        return
    try:
        await socket.accept()
        await _converse(socket, telling)
    except WebSocketDisconnect:
        pass  # it has gone, which it may at any time
    except TimeoutError:
        _logger.info("a client of %s took nothing for a while and was let go", request.url.path)
    finally:
        telling.subscription.close()


async def _converse(socket: WebSocket, telling: Telling) -> None:
    """Tell until there is nothing more, the client goes or talks, or the server stops."""
    code: int | None = None

    async def tell() -> None:
        nonlocal code
        code = await _tell(socket, telling)
        tasks.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tell)
            if (await socket.receive())["type"] != "websocket.disconnect":
                code = _ONLY_TELLS
            tasks.cancel_scope.cancel()
    except* (WebSocketDisconnect, TimeoutError) as errors:
        raise errors.exceptions[0] from None
    if code is not None:
        await socket.close(code)


async def _tell(socket: WebSocket, telling: Telling) -> int:
    code = _SERVER_STOPS
    while (message := await telling.subscription.next_message()) is not None:
        text = (await telling.wording.of(message)).decode()
        with anyio.fail_after(_SECONDS_TO_TAKE_A_MESSAGE):
            await socket.send_text(text)
        if telling.is_end(message):
            code = _ENDED
    return code
