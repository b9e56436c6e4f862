"""Answers that may be large: sent in slices, as fast as the client takes them.

Owns that a body of which many clients want a copy is in memory once, however slow they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from relayna.api.responses import make_response

__all__ = ["make_large_response"]

_SLICE_BYTES: Final = 64 * 1024


class _SlicedResponse(Response):
    """Waits after each slice until there is room for the next one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(self.body), _SLICE_BYTES):
            part = bytes(self.body[start : start + _SLICE_BYTES])
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def make_large_response(body: bytes, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """As `make_response`; sent in slices when it is more than one."""
    small = make_response(body if len(body) <= _SLICE_BYTES else b"", media_type=media_type, headers=headers)
    if len(body) <= _SLICE_BYTES:
        return small
    kept = {name: value for name, value in small.headers.items() if name != "content-length"}
    return _SlicedResponse(body, headers=kept)
