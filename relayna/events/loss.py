"""How loss is confessed. Owns the shape only; fields are append-only."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["EventsLost"]


class EventsLost(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """Events that will never reach the stream: of the envelope's attempt, or of none."""

    seq_ranges: tuple[tuple[int, int], ...] = ()
    """First and last lost `seq`, both included."""
    count: int = 0
    """How many in all, with those that have no `seq`."""
    reason: str | None = None
    outcome: str | None = None
    """How the attempt ended, when its closing event is among them: the lost event's type name."""
