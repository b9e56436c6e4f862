"""When what is held goes to disk. Owns the rule and nothing else. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = ["CROWDED", "Pressure", "must_spool"]

CROWDED: Final = 0.5
"""Of the bounds; past it, what is held goes to disk, however the log does."""


class Pressure(Struct, frozen=True, kw_only=True):
    """What speaks for the disk."""

    is_awaited: bool
    """Somebody waits for durability, and the log was not quick enough."""
    is_store_away: bool
    held_share: float
    """How much of the bounds is held, from 0 to 2."""


def must_spool(pressure: Pressure) -> bool:
    """Whether what is held goes to disk now.

    >>> must_spool(Pressure(is_awaited=False, is_store_away=False, held_share=0.1))
    False
    """
    return pressure.is_awaited or pressure.is_store_away or pressure.held_share >= CROWDED
