"""WebSockets as `relayna serve` speaks them: uvicorn's, with an end to those whose client takes nothing.

Owns that deadline, and that a refusal is no failure in the log. What is said to whom, the endpoints know.
"""

from __future__ import annotations

import asyncio
from asyncio.transports import BaseTransport
from typing import TYPE_CHECKING, ClassVar, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import STATUS_PHRASES, WebSocketsSansIOProtocol
from websockets.exceptions import InvalidMessage

from relayna.api.limits import headers_too_large, malformed_request
from relayna.api.problems import RequestRefused, problem_of, problem_response
from relayna.cli.stalling import StallGuard

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

__all__ = ["GuardedSocket"]


class GuardedSocket(WebSocketsSansIOProtocol):
    """One WebSocket. Who does not answer its pings is let go by uvicorn, who does and takes nothing by this."""

    stall_seconds: ClassVar[float] = 10.0
    """How long a client may take nothing of what waits for it."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._stalling = StallGuard(self.loop, cast("asyncio.Transport", transport), self.stall_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stalling.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalling.watch()

    def shutdown(self) -> None:
        super().shutdown()
        self._stalling.watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # HTTP's parser takes longer headers than the one of WebSockets, of which uvicorn says nothing.
            is_malformed = isinstance(self.conn.handshake_exc, InvalidMessage)
            self.transport.write(_answer(malformed_request() if is_malformed else headers_too_large()))
            self.transport.close()
            self._stalling.watch()

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        self._stalling.watch()
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True  # it was answered, which uvicorn would not know


def _answer(refusal: RequestRefused) -> bytes:
    response = problem_response(problem_of(refusal))
    status = f"HTTP/1.1 {refusal.status} {STATUS_PHRASES[refusal.status]}".encode()
    head = [status, *(b"%b: %b" % header for header in response.raw_headers), b"connection: close"]
    return b"\r\n".join([*head, b"", bytes(response.body)])
