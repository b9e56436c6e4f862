"""Answers made small enough: long texts and lists of a JSON value are cut short.

Owns what is cut and how that is told. Pure; knows nothing of tools or of the protocol.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec import Struct

__all__ = ["Bounds", "encoded_size", "told_cuts", "trimmed"]

_ELLIPSIS: Final = "…"
_FIELDS: Final = 64
"""Our own objects have fewer fields: only the users' lose any."""


class Bounds(Struct, frozen=True):
    """How much is left of a value."""

    text: int
    """Characters of a text."""
    entries: int
    """Entries of a list or an object."""


def encoded_size(value: object) -> int:
    """Bytes of the value as JSON."""
    return len(msgspec.json.encode(value))


def trimmed(body: dict[str, Any], bounds: Bounds, *, kept: Collection[str]) -> dict[str, Any]:
    """The body within bounds; of the lists that are `kept`, all entries. Its own fields all stay."""
    # Any: JSON values, here and below.
    return {name: _value(value, bounds, is_kept=name in kept) for name, value in body.items()}


def told_cuts(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Which of the body's fields were cut, in words. Names no key of the user's."""
    cuts = []
    for name, value in before.items():
        if after[name] != value:
            fewer = isinstance(value, list) and len(after[name]) < len(value)
            cuts.append(f"{name} ({len(after[name])} of {len(value)})" if fewer else f"{name} (shortened)")
    return cuts


def _value(value: Any, bounds: Bounds, *, is_kept: bool = False) -> Any:
    match value:
        case str() if len(value) > bounds.text:
            return value[: bounds.text] + _ELLIPSIS
        case list():
            entries = value if is_kept else value[: bounds.entries]
            return [_value(entry, bounds) for entry in entries]
        case dict():
            fields = list(value.items())
            return {name: _value(inner, bounds) for name, inner in fields[: max(bounds.entries, _FIELDS)]}
        case _:
            return value
