"""Bounds on what a request may be, before anything of it is parsed.

Owns how long a URL, the headers and a body may be, and that a body has one length and no coding. Wraps any ASGI
app under any server. How long a connection may dawdle before its headers are here, the server must say:
`relayna.cli.http_protocol` does for ours.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relayna.api.long_bodies import MOST_UPLOAD_BYTES, has_long_body
from relayna.api.problems import RequestRefused, answer_error
from relayna.api.refusing import refuse
from relayna.api.request_body import MOST_BODY_BYTES, bounded, check_length

__all__ = [
    "MOST_HEADER_BYTES", "MOST_URL_BYTES", "RequestLimits", "compressed", "headers_too_large",
    "malformed_request", "two_lengths", "url_too_long",
]  # fmt: skip

MOST_URL_BYTES: Final = 4 * 1024
MOST_HEADER_BYTES: Final = 16 * 1024
_BODY_SECONDS: Final = 10.0
_OF_BODIES: Final = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})
"""In lower case, as ASGI has all names."""


def url_too_long() -> RequestRefused:
    """414: path and query string are longer than anything that is asked here."""
    hint = f"Keep path and query string under {MOST_URL_BYTES:,} bytes."
    return RequestRefused(414, "url_too_long", "The URL is too long.", hint)


def headers_too_large() -> RequestRefused:
    """431: all headers together are larger than anything that is asked here."""
    hint = f"Keep all headers together under {MOST_HEADER_BYTES:,} bytes."
    return RequestRefused(431, "headers_too_large", "The headers are too large.", hint)


def malformed_request() -> RequestRefused:
    """400: nobody can read it."""
    return RequestRefused(
        400, "malformed_request", "The request is no HTTP/1.1.", "Correct it and ask again."
    )


def two_lengths() -> RequestRefused:
    """400: what one server takes for a body's end, another may take for the start of a request."""
    hint = "Send Content-Length or Transfer-Encoding, not both."
    return RequestRefused(400, "ambiguous_length", "The body has two lengths.", hint)


def compressed() -> RequestRefused:
    """415: a few bytes that stand for many."""
    hint = "Send it as it is, without Content-Encoding."
    return RequestRefused(415, "compressed_body", "Bodies are not taken compressed.", hint)


class RequestLimits:
    """An ASGI app around `app` that refuses what is too large, too slow or ambiguous."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        most_body_bytes: int = MOST_BODY_BYTES,
        body_seconds: float = _BODY_SECONDS,
    ) -> None:
        self._app = app
        self._most_body_bytes = most_body_bytes
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or hand the request on."""
        if scope["type"] == "websocket":
            await self._open(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        long = has_long_body(scope["method"], scope["path"])
        most_bytes = MOST_UPLOAD_BYTES if long else self._most_body_bytes
        body = bounded(receive, most_bytes=most_bytes, seconds=self._body_seconds, each=long)
        exchange = _Exchange(scope, body, send)
        try:
            _check(scope, most_bytes)
            await self._app(scope, exchange.receive, exchange.send)
        except RequestRefused as refusal:
            if exchange.answered:
                raise
            await exchange.refuse(refusal)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _check_url(scope)
            _check_headers(scope)
        except RequestRefused as refusal:
            await refuse(scope, receive, send, refusal)
        else:
            await self._app(scope, receive, send)


class _Exchange:
    """One request and its answer: knows whether the answer has begun, and whether the request was refused."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._refused = False
        self.answered = False

    async def receive(self) -> Message:
        """As the app asks. Raises `RequestRefused` as long as that can still be the answer."""
        try:
            return await self._receive()
        except RequestRefused:
            self._refused = True
            if self.answered:  # a stream that is under way ends, as if the client had gone
                return {"type": "http.disconnect"}
            raise

    async def send(self, message: Message) -> None:
        """As the app answers. What is left of a request that was refused is not waited for."""
        if message["type"] == "http.response.start":
            self.answered = True
            if self._refused and self._scope.get("http_version", "").startswith("1"):
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await self._send(message)

    async def refuse(self, refusal: RequestRefused) -> None:
        """Answer with the problem."""
        self._refused = True
        response = await answer_error(Request(self._scope), refusal)
        await response(self._scope, self._receive, self.send)


def _check(scope: Scope, most_body_bytes: int) -> None:
    _check_url(scope)
    if not _check_headers(scope):
        return
    headers = Request(scope).headers
    stated = headers.getlist("content-length")
    if stated and "transfer-encoding" in headers:
        raise two_lengths()
    check_length(stated, most_bytes=most_body_bytes)
    if any(coding.strip().lower() != "identity" for coding in headers.getlist("content-encoding")):
        raise compressed()


def _check_url(scope: Scope) -> None:
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    if len(path) + len(scope.get("query_string") or b"") >= MOST_URL_BYTES:
        raise url_too_long()


def _check_headers(scope: Scope) -> bool:
    """Refuse headers that are too large; whether any of them speaks of a body."""
    size, of_body = 0, False
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4  # with the colon, the space and the line's end
        of_body = of_body or name in _OF_BODIES
    if size > MOST_HEADER_BYTES:
        raise headers_too_large()
    return of_body
