"""What stands in for a record that this version cannot read. Never written, only read.

Owns the shape; the codec (stored bytes) and `plain.py` (dictionaries) make them.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Opaque"]


class Opaque(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A record whose meaning is unknown here. Its place and, when readable, its envelope are kept."""

    reason: str
    """`unknown_type`, `unknown_version` or `corrupt`."""
    type_name: str | None = None
    version: int | None = None
    problem: str | None = None
    digest: str | None = None
    """SHA-256 of the bytes, so that two unreadable bodies under one id are told apart."""
