"""Old shapes become new ones here, and nowhere else.

An upcaster turns the stored fields of one version into those of the next. Adding a field at the end,
with a default, needs none; renaming, splitting or changing the meaning of one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from relayna.events.vocabulary import CURRENT_VERSIONS

__all__ = ["UPCASTERS", "Upcaster", "upcast"]

Upcaster: TypeAlias = Callable[[list[Any]], list[Any]]
"""Stored fields, in order, of version n to those of version n + 1. Any: whatever msgpack holds."""

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}
"""By type name and the version it starts from. Empty while every type is at version 1."""


def upcast(
    type_name: str,
    version: int,
    fields: list[Any],
    *,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
    current: Mapping[str, int] = CURRENT_VERSIONS,
) -> list[Any] | None:
    """Bring stored fields up to the current version; `None` when no chain of upcasters leads there."""
    while version < current[type_name]:
        step = upcasters.get((type_name, version))
        if step is None:
            return None
        fields, version = step(fields), version + 1
    return fields if version == current[type_name] else None
