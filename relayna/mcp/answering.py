"""A call of a tool becomes an answer or a refusal, in plain values.

Owns that arguments are checked, and that a refusal is one of our sentences and shows nothing of the inside: no
address of a store, no path, no traceback. What is hidden is in the program's log. Knows nothing of the protocol.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from relayna.api.problems import problem_of
from relayna.api.services import TenantServices
from relayna.errors import InvalidQuery, LogNotOpen, RelaynaError
from relayna.mcp.fitting import fitting_answer
from relayna.mcp.tools import Tool

__all__ = ["Answered", "Refused", "answer_call"]

_logger = logging.getLogger("relayna.mcp")
_NAMED: Final = 300
_NOT_REACHED: Final = "The store cannot be reached: it has not answered yet."
_LATER: Final = "Ask again later; if it stays so, see that the store runs and can be reached."


class Answered(Struct, frozen=True):
    """What the tool tells."""

    body: dict[str, Any]  # Any: JSON values


class Refused(Struct, frozen=True):
    """Why it tells nothing, and what to do."""

    code: str
    """For programs; the codes are those of HTTP's problems."""
    sentence: str


async def answer_call(
    tool: Tool, services: TenantServices, arguments: Mapping[str, object]
) -> Answered | Refused:
    """Answer a call with these arguments. Raises nothing on purpose."""
    try:
        return Answered(await fitting_answer(tool, services, _asked(tool, arguments)))
    except Exception as error:  # noqa: BLE001 - it is logged, and the SDK would show what is inside
        return _refused(tool, error)


def _asked(tool: Tool, arguments: Mapping[str, object]) -> Struct:
    try:
        return msgspec.convert(dict(arguments), tool.asks)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        name = place.strip("`").removeprefix("$.") or "arguments"
        raise InvalidQuery(name, problem[:_NAMED]) from None


def _refused(tool: Tool, error: Exception) -> Refused:
    if isinstance(error, InvalidQuery):
        return Refused("invalid_query", f"{error}. Correct it and ask again.")
    problem = problem_of(error)
    if isinstance(error, LogNotOpen):  # HTTP's words are for who mounts an app
        problem = replace(problem, detail=_NOT_REACHED, hint=_LATER)
    if problem.status == 500:
        _logger.error("Tool %r failed", tool.name, exc_info=error)
    elif problem.status == 503 and isinstance(error, RelaynaError):
        why = problem.detail if isinstance(error, LogNotOpen) else error
        _logger.warning("Tool %r could not answer: %s", tool.name, why)
    return Refused(problem.code, f"{problem.detail} {problem.hint}")
