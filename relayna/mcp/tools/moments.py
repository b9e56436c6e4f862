"""Times among the arguments of tools. Owns what is said of text that is none."""

from __future__ import annotations

from relayna.errors import InvalidQuery
from relayna.instants import Instant, parse_instant

__all__ = ["moment"]


def moment(name: str, text: str | None) -> Instant | None:
    """The time, when it was given. Raises `InvalidQuery` for what is none."""
    if text is None:
        return None
    instant = parse_instant(text)
    if instant is None:
        raise InvalidQuery(name, f"{text[:80]!r} is no time; use ISO 8601, as in 2026-01-31T10:00:05Z")
    return instant
