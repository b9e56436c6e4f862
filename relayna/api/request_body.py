"""How a body arrives: at most so long, within so much time.

Owns both bounds, for any server. Reads no meaning into what arrives.
"""

from __future__ import annotations

import math
from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from relayna.api.problems import RequestRefused

__all__ = ["MOST_BODY_BYTES", "bounded", "check_length", "too_large", "too_slow", "whole_body"]

MOST_BODY_BYTES: Final = 64 * 1024
_SECONDS: Final = 10.0


async def whole_body(request: Request, *, seconds: float = _SECONDS) -> bytes:
    """All of it. Raises `RequestRefused`: 400 for a part, 408 and 413."""
    check_length(request.headers.getlist("content-length"))
    try:
        return await Request(request.scope, bounded(request.receive, seconds=seconds)).body()
    except ClientDisconnect:  # nobody reads the answer, and it is no fault of the service
        raise RequestRefused(400, "incomplete_body", "The body ends early.", "Send all of it.") from None


def bounded(
    receive: Receive, *, most_bytes: int = MOST_BODY_BYTES, seconds: float = _SECONDS, each: bool = False
) -> Receive:
    """`receive`, which raises `RequestRefused` once the body is too long, or has taken too long to be here.

    With `each`, that long for each of its pieces, and not for all of it.
    """
    received, complete, deadline = 0, False, math.inf

    async def receive_bounded() -> Message:
        nonlocal received, complete, deadline
        if complete:  # from here on it waits for the client to go away
            return await receive()
        # Counted from the first time that somebody asks: an answer that takes its time is no slow body.
        deadline = min(math.inf if each else deadline, anyio.current_time() + seconds)
        with anyio.CancelScope(deadline=deadline) as arriving:
            message = await receive()
        if arriving.cancelled_caught:
            raise too_slow(seconds)
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > most_bytes:
                raise too_large(most_bytes)
        return message

    return receive_bounded


def check_length(stated: list[str], *, most_bytes: int = MOST_BODY_BYTES) -> None:
    """Refuse by what `Content-Length` says, before anything is read. Raises `RequestRefused`."""
    for length in stated:
        # Compared as digits: a number of thousands of them need not be read to be too large.
        digits = length.strip().lstrip("0")
        if len(digits) > 19 or (digits.isdecimal() and int(digits) > most_bytes):
            raise too_large(most_bytes)


def too_large(most_bytes: int) -> RequestRefused:
    """The body is longer than anything that is taken here."""
    hint = f"Send at most {most_bytes:,} bytes."
    return RequestRefused(413, "body_too_large", "The body is too large.", hint)


def too_slow(seconds: float) -> RequestRefused:
    """The body takes longer to be here than anybody waits."""
    detail = f"The body was not here after {seconds:g} seconds."
    return RequestRefused(408, "body_too_slow", detail, "Send it again, at once.")
