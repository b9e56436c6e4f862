"""The only place that looks at a clock.

`SystemClock` for real work; `FrozenClock` for tests and replays, which moves only when told.
"""

from __future__ import annotations

import heapq
import itertools
import time
from typing import Protocol

import anyio

from relayna.instants import Instant

__all__ = ["Clock", "FrozenClock", "SkewedClock", "SystemClock"]

_NEW_YEAR_2026 = Instant(1_767_225_600_000_000)


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> Instant:
        """The wall clock, in microseconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """The wall clock, in microseconds since the epoch."""
        return Instant(time.time_ns() // 1000)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await anyio.sleep(seconds)


class SkewedClock:
    """Another clock, seen from a machine that is off by some seconds."""

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        self._clock = clock
        self._offset = round(seconds * 1_000_000)

    def now(self) -> Instant:
        """The wall clock as that machine shows it."""
        return Instant(self._clock.now() + self._offset)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`: a wrong clock still runs at the right speed."""
        await self._clock.sleep(seconds)


class FrozenClock:
    """Stands still until `advance` moves it; sleepers wake in the order of their deadlines."""

    def __init__(self, start: Instant = _NEW_YEAR_2026) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, anyio.Event]] = []

    def now(self) -> Instant:
        """The time it stands at."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the clock by `seconds`."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        woken = anyio.Event()
        heapq.heappush(self._sleepers, (self._now + round(seconds * 1_000_000), next(self._order), woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` and wake everyone whose deadline has come."""
        self._now = Instant(self._now + round(seconds * 1_000_000))
        while self._sleepers and self._sleepers[0][0] <= self._now:
            heapq.heappop(self._sleepers)[2].set()
