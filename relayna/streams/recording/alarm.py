"""Wakes one task of an event loop, from any thread. Owns nothing but the bell."""

from __future__ import annotations

import asyncio
import threading

from relayna.clock import Clock

__all__ = ["Alarm"]


class Alarm:
    """A bell that one task waits for. Make it in that task's event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._is_rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the task, or keep it from falling asleep. Never blocks and never raises."""
        try:
            if threading.get_ident() == self._thread:
                self._ring()
            else:
                self._loop.call_soon_threadsafe(self._ring)
        except RuntimeError:  # the loop is closed: nobody is left to be woken
            return

    def silence(self) -> None:
        """Forget that it rang."""
        self._is_rung = False

    async def wait(self) -> None:
        """Return when it rings, at once when it has."""
        if not self._is_rung:
            await self._made_waiter()

    async def wait_at_most(self, seconds: float) -> None:
        """Return when it rings or when `seconds` of the clock have passed."""
        if self._is_rung:
            return
        waiter = self._made_waiter()
        # A task beside it and no group of two: the loop takes two turns to end a group, and events wait meanwhile.
        sleeper = asyncio.create_task(self._clock.sleep(seconds))
        sleeper.add_done_callback(lambda _: _wake(waiter))
        try:
            await waiter
        finally:
            sleeper.cancel()

    def _made_waiter(self) -> asyncio.Future[None]:
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _ring(self) -> None:
        self._is_rung = True
        if self._waiter is not None:
            _wake(self._waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
