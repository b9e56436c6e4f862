"""Protocols through which lower layers report numbers, without knowing who counts.

Implemented above (metrics, tests) and passed in. Owns no state and no names of a metrics library.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Counters", "IgnoredCounters"]


class Counters(Protocol):
    """Where counted happenings go. Must be cheap, thread-safe and never raise."""

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Add `by` to the counter `name` with these label values."""


class IgnoredCounters:
    """Counts nothing: the default where nobody asked."""

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Do nothing."""
