"""HTTP/1.1 as `relayna serve` speaks it: uvicorn's, with an end to everything that a client can keep open.

uvicorn waits for ever for the rest of a request, and for somebody to take an answer. Owns those deadlines, how
many connections there may be, and the answers to what cannot be parsed. What a request may hold is bounded in
`relayna.api.limits`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, ClassVar, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from relayna.api.limits import (
    MOST_HEADER_BYTES,
    MOST_URL_BYTES,
    headers_too_large,
    malformed_request,
    url_too_long,
)
from relayna.api.long_bodies import has_long_body
from relayna.api.problems import RequestRefused, problem_of, problem_response
from relayna.cli.stalling import StallGuard

__all__ = ["MOST_HEAD_BYTES", "GuardedHttp"]

MOST_HEAD_BYTES: Final = MOST_URL_BYTES + MOST_HEADER_BYTES + 4_096
"""What is read of a request before its headers have an end: enough that all it may hold can be told apart."""


class GuardedHttp(H11Protocol):
    """One connection, which ends when its client is too slow in asking or in taking the answer."""

    receive_seconds: ClassVar[float] = 10.0
    """From the connection's start, or the last answer's end, until the next request is wholly here."""
    stall_seconds: ClassVar[float] = 10.0
    """How long a client may take nothing of an answer that waits for it."""
    most_connections: ClassVar[int] = 1_000
    """Those over it are told to come again; with them sockets could run out for the store."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # Any: uvicorn's word for what a lifespan leaves
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._receiving: asyncio.TimerHandle | None = None
        self._stalling: StallGuard | None = None
        self._is_switched = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._stalling = StallGuard(self.loop, transport, self.stall_seconds)
        if len(self.connections) > self.most_connections:
            detail, hint = "There are too many connections.", "Ask again later."
            self._refuse(RequestRefused(503, "too_many_connections", detail, hint))
        self._watch_receiving()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._receiving is not None:
            self._receiving.cancel()
        if self._stalling is not None:
            self._stalling.stop()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._receiving is not None and self._takes_long():
            self._receiving.cancel()  # what comes piece by piece has that long for each
            self._receiving = None
        self._watch_receiving()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._is_switched = True  # from now on another protocol has the connection, and deadlines of its own

    def on_response_complete(self) -> None:
        # The rest of a body that nobody asked for could go on for ever.
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
        super().on_response_complete()
        self._watch_receiving()
        self._watch_sending()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_sending()

    def send_400_response(self, msg: str) -> None:
        """Called while h11's error is being handled; says what was wrong, which uvicorn does not."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if hint != 431 or self.conn.our_state is not h11.IDLE:
            self._refuse(malformed_request())
        else:
            line_is_whole = b"\n" in self.conn.trailing_data[0]
            self._refuse(headers_too_large() if line_is_whole else url_too_long())

    def _refuse(self, refusal: RequestRefused) -> None:
        """Answer and close, where an answer can still be given; else only close."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        response = problem_response(problem_of(refusal))
        bodiless = self.conn.our_state is h11.SEND_RESPONSE and self.scope["method"] == "HEAD"
        head = h11.Response(
            status_code=refusal.status,
            headers=[*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")],
            reason=STATUS_PHRASES[refusal.status],
        )
        for event in (head, h11.Data(data=b"" if bodiless else bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None:  # whoever works on the request learns that nobody waits any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._watch_sending()

    def _watch_receiving(self) -> None:
        waits = self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and not self.transport.is_closing()
        waits = waits and not self._is_switched
        if waits and self._receiving is None:
            self._receiving = self.loop.call_later(self.receive_seconds, self._end_of_patience)
        elif not waits and self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _takes_long(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY and has_long_body(
            self.scope["method"], self.scope["path"]
        )

    def _end_of_patience(self) -> None:
        if self.flow.read_paused and self._takes_long():
            self._receiving = None  # it is we who are slow
            self._watch_receiving()
            return
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.transport.close()  # nothing was asked
            return
        detail = f"The request was not here after {self.receive_seconds:g} seconds."
        self._refuse(RequestRefused(408, "request_too_slow", detail, "Send it again, at once."))

    def _watch_sending(self) -> None:
        if self._stalling is not None:
            self._stalling.watch()
