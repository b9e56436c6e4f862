"""What becomes of an event that finds no room: it is counted, confessed later, and written down if it is vital.

Owns the queue of those to be written down. A line of the program's log costs ten times what recording does, so
lines are written between the turns of the event loop and not on the caller's time; all of them before anybody
is told that something was lost.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Final

import anyio.lowlevel

from relayna.clock import Clock
from relayna.ids import Tenant
from relayna.streams.recording.alarm import Alarm
from relayna.streams.recording.held import VITAL_TYPES, HeldEvent
from relayna.streams.recording.last_resort import write_last_resort
from relayna.streams.recording.losses import Losses

__all__ = ["Shedding"]

_REASON: Final = "buffer_full"
_MOST: Final = 1_000
"""Events that wait to be written down; past it each caller writes one line."""
_AT_ONCE: Final = 10
"""Lines a turn of the event loop, or half of those that wait."""


class Shedding:
    """Belongs to one recorder. Events may be shed from any thread."""

    def __init__(self, losses: Losses, tenant: Tenant) -> None:
        self._losses = losses
        self._tenant = tenant
        self._unwritten: deque[HeldEvent] = deque()
        self._bell: Alarm | None = None

    def shed(self, event: HeldEvent) -> None:
        """Nobody will store this one."""
        unwritten = self._unwritten
        if event.event_type in VITAL_TYPES:
            unwritten.append(event)  # before the loss is known: whoever hears of it finds the line
        is_first = self._losses.remember(event, _REASON)
        bell = self._bell  # looked at last: who takes it away tells all that was shed before
        if bell is None:
            self.tell()
        elif is_first:
            bell.ring()
        elif len(unwritten) > _MOST:
            self._write_down(1)

    def tell(self) -> None:
        """Tell the counters, and write down all that is due."""
        self._losses.report()
        self._write_down(len(self._unwritten))

    async def run(self, clock: Clock) -> None:
        """Write lines as they come due, until it is cancelled; then those that are left."""
        self._bell = bell = Alarm(clock)
        try:
            while True:
                await bell.wait()
                bell.silence()
                self._losses.report()
                while self._unwritten:
                    self._write_down(max(_AT_ONCE, len(self._unwritten) // 2))
                    await anyio.lowlevel.checkpoint()
        finally:
            self._bell = None
            self.tell()

    def _write_down(self, lines: int) -> None:
        for _ in range(lines):
            try:
                event = self._unwritten.popleft()
            except IndexError:  # another thread was quicker
                return
            # The log is the program's, and may raise: recording, which has counted this one, goes on.
            with contextlib.suppress(Exception):
                write_last_resort(event, _REASON, self._tenant)
