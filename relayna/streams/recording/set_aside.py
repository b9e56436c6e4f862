"""Brings back, after a while, the lanes that were set aside. Owns how long that is, and one timer at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anyio.abc import TaskGroup

from relayna.clock import Clock
from relayna.streams.recording.alarm import Alarm
from relayna.streams.recording.breaker import Breaker
from relayna.streams.recording.outlet import Outlet

__all__ = ["SetAside"]


class SetAside:
    """Belongs to the flusher's event loop."""

    def __init__(
        self, outlets: Callable[[], Sequence[Outlet]], breaker: Breaker, clock: Clock, due: Alarm
    ) -> None:
        self._outlets = outlets
        self._breaker = breaker
        self._clock = clock
        self._due = due
        self._rounds = 0
        self._is_timed = False

    def bring_back(self) -> None:
        """Offer all of them again."""
        for outlet in self._outlets():
            outlet.lanes.bring_back()

    def bring_back_later(self, timers: TaskGroup) -> None:
        """The same in a while, which grows with each round, when there is any."""
        if not any(outlet.lanes.any_aside for outlet in self._outlets()):
            self._rounds = 0
        elif not self._is_timed:
            self._is_timed = True
            self._rounds += 1
            timers.start_soon(self._bring_back, self._breaker.pause_after(self._rounds))

    async def _bring_back(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._is_timed = False
        self.bring_back()
        self._due.ring()
