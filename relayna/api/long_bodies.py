"""Bodies that are read as they come, line by line, and may be long: which requests have one, and their bounds.

Owns those bounds. A body of this kind is never held whole, so what bounds it is how long it may pause.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import ClientDisconnect, Request

from relayna.api.problems import RequestRefused

__all__ = ["MOST_UPLOAD_BYTES", "NDJSON", "has_long_body", "pieces_of", "read_to_the_end"]

NDJSON: Final = "application/x-ndjson"
MOST_UPLOAD_BYTES: Final = 1024 * 1024 * 1024

_UPLOAD: Final = re.compile(r"/traces/tasks/(?:.*/)?[^/]+", re.DOTALL)
_MEDIA_TYPE: Final = re.compile(rf'{re.escape(NDJSON)}\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)


def has_long_body(method: str, path: str) -> bool:
    """Whether a request's body is read as it comes."""
    return method == "POST" and _UPLOAD.search(path) is not None


async def pieces_of(request: Request) -> AsyncIterator[bytes]:
    """The body of a request as it comes. Raises `RequestRefused`: 415 for another media type, 400 for a part."""
    given = request.headers.getlist("content-type")
    # A form of another site's page can be sent without asking us first; this type cannot.
    if len(given) != 1 or not _MEDIA_TYPE.fullmatch(given[0].strip()):
        hint = f"Send one JSON object a line, with Content-Type: {NDJSON}, once."
        raise RequestRefused(415, "not_ndjson", "The body is not sent as lines of JSON.", hint)
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:  # nobody reads the answer, and it is no fault of the service
        raise RequestRefused(400, "incomplete_body", "The body ends early.", "Send it again.") from None


async def read_to_the_end(pieces: AsyncIterator[bytes]) -> None:
    """Let what is left of a body pass. Most clients read no answer before they have sent all of it."""
    with contextlib.suppress(RequestRefused):  # what came before has its answer all the same
        async for _ in pieces:
            pass
