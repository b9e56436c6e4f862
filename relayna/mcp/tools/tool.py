"""A tool is a value: what may be asked, what is told, and who answers.

Owns the shape. Which tools there are is in `relayna/mcp/tools/__init__.py`; knows nothing of the protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from relayna.api.services import TenantServices

__all__ = ["Tool"]


def _always() -> bool:
    return True


class Tool(Struct, frozen=True, kw_only=True):
    """One question that a model can ask."""

    name: str
    title: str
    about: str
    """For the model: what it answers, and when to use it."""
    asks: type[Struct]
    """The arguments, each with its description; unknown ones are forbidden."""
    tells: type[Struct]
    """The answer, which is that of the HTTP route for the same question."""
    answer: Callable[[TenantServices, Any], Awaitable[Struct]]  # Any: the Struct that `asks` names
    bound: str | None = None
    """The argument that bounds how much is told, when there is one: it is lowered for what is too large."""
    bounded: tuple[str, ...] = ()
    """The lists that it bounds. They are never cut by themselves, so that nothing falls between two pages."""
    changes: bool = False
    """Whether it changes anything."""
    is_on: Callable[[], bool] = _always
    """Whether it is there over HTTP at this moment. On stdin and stdout, where whoever asks reads the store, it always is."""
    rest: str
    """How to ask for what an answer that was cut leaves out."""
