"""What came back from the spool and is on its way to the log, one outlet a tenant.

Owns when a segment is done: all of it is in the log, or given up as refused; and when the next may come.
That is when nothing is left of the one before, or nothing that can go now: else a refused task would hold
up all that wait behind it. Touches no disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from relayna.ids import Tenant
from relayna.streams.recording.outlet import Outlet
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.spool import SpoolToken

__all__ = ["Draining"]

_MOST_BYTES: Final = 16 << 20
"""While so much of refused tasks is here, no more comes."""


class Draining:
    """Belongs to one event loop."""

    def __init__(self, outlet_for: Callable[[Tenant], Outlet], *, most_bytes: int = _MOST_BYTES) -> None:
        """A spool is shared by tenants; `outlet_for` makes the way of each to its streams."""
        self._outlet_for = outlet_for
        self._most_bytes = most_bytes
        self._outlets: dict[Tenant, Outlet] = {}
        self._segments: dict[SpoolToken, list[PendingFrame]] = {}

    @property
    def outlets(self) -> Sequence[Outlet]:
        """Where the frames wait, by tenant."""
        return list(self._outlets.values())

    @property
    def any_ready(self) -> bool:
        """Whether a frame may be offered."""
        return any(outlet.lanes.any_ready for outlet in self._outlets.values())

    @property
    def tokens(self) -> Collection[SpoolToken]:
        """The segments that are not done."""
        return tuple(self._segments)

    @property
    def is_idle(self) -> bool:
        """Whether all that came is done."""
        return not self._segments

    @property
    def may_take_more(self) -> bool:
        """Whether the next segment may come."""
        return self.is_idle or (self._is_stuck and not self._is_full)

    @property
    def lets_pass(self) -> bool:
        """Whether others may go on although more waits on disk: only when it cannot come for refused tasks."""
        return self._is_stuck and self._is_full

    def begin(self, token: SpoolToken, frames: Iterable[tuple[Tenant, PendingFrame]]) -> None:
        """Carry these too, which are all that the segment holds, in order."""
        segment = self._segments[token] = []
        for tenant, frame in frames:
            if tenant not in self._outlets:
                self._outlets[tenant] = self._outlet_for(tenant)
            self._outlets[tenant].lanes.take_in([frame])
            segment.append(frame)

    def take_done(self) -> list[SpoolToken]:
        """The segments of which nothing is left to be carried; each is told once."""
        if self._is_under_way and len(self._segments) == 1:
            return []
        left = set(self._left())
        done = [token for token, frames in self._segments.items() if left.isdisjoint(frames)]
        for token in done:
            del self._segments[token]
        return done

    @property
    def _is_under_way(self) -> bool:
        return any(outlet.lanes for outlet in self._outlets.values())

    @property
    def _is_stuck(self) -> bool:
        """Whether all that is left was refused and is set aside."""
        return self._is_under_way and not self.any_ready

    @property
    def _is_full(self) -> bool:
        return sum(frame.size for frame in self._left()) >= self._most_bytes

    def _left(self) -> Iterable[PendingFrame]:
        return (frame for outlet in self._outlets.values() for frame in outlet.lanes)
