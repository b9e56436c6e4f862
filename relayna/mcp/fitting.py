"""An answer of a tool within the bytes that a model should get at once.

Owns the order of the means: long texts and side lists are cut short, then less is asked for, then more is cut.
What is cut is said in `cut`, with how to ask for the rest. An answer that fits is the answer as it is.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from relayna.api.problems import RequestRefused
from relayna.api.services import TenantServices
from relayna.mcp.tools import Tool
from relayna.mcp.trimming import Bounds, encoded_size, told_cuts, trimmed

__all__ = ["CUT", "MOST_BYTES", "fitting_answer"]

MOST_BYTES: Final = 64 * 1024
"""Of an answer as JSON."""
CUT: Final = "cut"
"""The field that an answer has beside its own when something was cut."""

_FOR_WORDS: Final = 2 * 1024
_GENTLE: Final = Bounds(text=2_000, entries=100)
_HARD: Final = (Bounds(text=500, entries=20), Bounds(text=200, entries=5), Bounds(text=100, entries=1))
_MOST_TRIES: Final = 8


async def fitting_answer(
    tool: Tool, services: TenantServices, asked: Struct, *, most_bytes: int = MOST_BYTES
) -> dict[str, Any]:  # Any: JSON values
    """The answer as a JSON object of at most so many bytes. Raises what the tool raises, and `RequestRefused`."""
    body = await _body(tool, services, asked)
    if encoded_size(body) <= most_bytes:
        return body
    room = most_bytes - _FOR_WORDS
    less = asked
    for _ in range(_MOST_TRIES):
        gently = trimmed(body, _GENTLE, kept=tool.bounded)
        size = encoded_size(gently)
        if size <= room:
            return _told(tool, asked, less, body, gently)
        fewer = _fewer(tool, less, room / size)
        if fewer is None:
            break
        less = fewer
        body = await _body(tool, services, less)
    for bounds in _HARD:
        hard = trimmed(body, bounds, kept=tool.bounded)
        if encoded_size(hard) <= room:
            return _told(tool, asked, less, body, hard)
    raise RequestRefused(
        413, "too_large", f"The answer is larger than {most_bytes} bytes, however it is cut.", tool.rest
    )


async def _body(tool: Tool, services: TenantServices, asked: Struct) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(await tool.answer(services, asked)))
    return body


def _fewer(tool: Tool, asked: Struct, share: float) -> Struct | None:
    """The question for about so much of the answer; None when less cannot be asked for."""
    if tool.bound is None or (now := getattr(asked, tool.bound)) == 1:
        return None
    return replace(asked, **{tool.bound: max(1, int(now * share * 0.9))})


def _told(
    tool: Tool, asked: Struct, less: Struct, before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    said = ["This answer was too large and is cut."]
    if tool.bound is not None and less != asked:
        said.append(f"It was made with {tool.bound}={getattr(less, tool.bound)}.")
    cuts = told_cuts(before, after)
    if cuts:
        said.append(f"Cut short: {', '.join(cuts)}.")
    return {**after, CUT: " ".join([*said, tool.rest])}
