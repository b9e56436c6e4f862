"""How every answer is sent. Owns the headers that all of them carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

__all__ = ["JSON", "make_response"]

JSON: Final = "application/json"

_HEADERS: Final = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


def make_response(
    body: bytes, *, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response that no cache serves unasked and no browser takes for another type. Text is UTF-8."""
    return Response(body, status, {**_HEADERS, **(headers or {})}, media_type)
