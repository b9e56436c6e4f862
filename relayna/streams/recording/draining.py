"""What came back from the spool and is on its way to the log: one segment at a time, one outlet a tenant.

Owns when a segment is done: all of it is in the log, or given up as refused. Touches no disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from relayna.ids import Tenant
from relayna.streams.recording.outlet import Outlet
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.spool import SpoolToken

__all__ = ["Draining"]


class Draining:
    """Belongs to one event loop."""

    def __init__(self, outlet_for: Callable[[Tenant], Outlet]) -> None:
        """A spool is shared by tenants; `outlet_for` makes the way of each to its streams."""
        self._outlet_for = outlet_for
        self._outlets: dict[Tenant, Outlet] = {}
        self._token: SpoolToken | None = None

    @property
    def outlets(self) -> Sequence[Outlet]:
        """Where the frames of the segment wait, by tenant."""
        return list(self._outlets.values())

    @property
    def any_ready(self) -> bool:
        """Whether a frame may be offered."""
        return any(outlet.lanes.any_ready for outlet in self._outlets.values())

    @property
    def is_idle(self) -> bool:
        """Whether the next segment may come."""
        return self._token is None

    @property
    def is_stuck(self) -> bool:
        """Whether all that is left of the segment was refused and is set aside."""
        return self._is_under_way and not self.any_ready

    def begin(self, token: SpoolToken, frames: Iterable[tuple[Tenant, PendingFrame]]) -> None:
        """Carry these, which are all that the segment holds, in order."""
        self._token = token
        for tenant, frame in frames:
            if tenant not in self._outlets:
                self._outlets[tenant] = self._outlet_for(tenant)
            self._outlets[tenant].lanes.take_in([frame])

    def take_done(self) -> SpoolToken | None:
        """The segment of which nothing is left to be carried; told once."""
        if self._is_under_way:
            return None
        token, self._token = self._token, None
        return token

    @property
    def _is_under_way(self) -> bool:
        return any(outlet.lanes for outlet in self._outlets.values())
