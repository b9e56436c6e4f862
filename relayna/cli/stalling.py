"""A client that takes nothing of what waits for it is let go. Owns when that is so, on any connection."""

from __future__ import annotations

import asyncio

__all__ = ["StallGuard"]


class StallGuard:
    """Watches what is not sent yet of one connection; whoever takes nothing for so long has it aborted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, seconds: float) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0

    def watch(self) -> None:
        """Something was written; look at what becomes of it."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and self._timer is None:
            self._unsent = unsent
            self._timer = self._loop.call_later(self._seconds, self._abort_if_stalled)

    def stop(self) -> None:
        """The connection is over."""
        if self._timer is not None:
            self._timer.cancel()

    def _abort_if_stalled(self) -> None:
        self._timer = None
        if 0 < self._unsent <= self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self.watch()
