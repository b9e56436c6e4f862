"""How every answer is sent. Owns the headers that all of them carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["JSON", "SECURITY_HEADERS", "dressed", "make_response"]

JSON: Final = "application/json"

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""No browser takes an answer for another type, runs anything in it or shows it inside another site's page."""

_RAW_HEADERS: Final = [
    (name.lower().encode(), value.encode())
    for name, value in {"Cache-Control": "no-cache", **SECURITY_HEADERS}.items()
]


def make_response(
    body: bytes, *, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response that no cache serves unasked and no browser takes for another type. Text is UTF-8."""
    return _completed(Response(body, status, headers, media_type))


def dressed(response: Response, request: Request) -> Response:
    """The response with the headers that it lacks, such as a stream's; what a token was shown for is private."""
    _completed(response)
    if "authorization" in request.headers:
        if "no-store" not in response.headers["Cache-Control"]:
            response.headers["Cache-Control"] = "private, no-cache"
        response.headers.add_vary_header("Authorization")
    return response


def _completed(response: Response) -> Response:
    there = {name for name, _ in response.raw_headers}
    response.raw_headers += [header for header in _RAW_HEADERS if header[0] not in there]
    return response
