"""Wakes one task of an event loop, from any thread. Owns nothing but the bell."""

from __future__ import annotations

import asyncio
import threading

import anyio

from relayna.clock import Clock

__all__ = ["Alarm"]


class Alarm:
    """A bell that one task waits for. Make it in that task's event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the task, or keep it from falling asleep. Never blocks and never raises."""
        try:
            if threading.get_ident() == self._thread:
                self._rung.set()
            else:
                self._loop.call_soon_threadsafe(self._rung.set)
        except RuntimeError:  # the loop is closed: nobody is left to be woken
            return

    def silence(self) -> None:
        """Forget that it rang."""
        self._rung.clear()

    async def wait(self) -> None:
        """Return when it rings, at once when it has."""
        await self._rung.wait()

    async def wait_at_most(self, seconds: float) -> None:
        """Return when it rings or when `seconds` of the clock have passed."""
        async with anyio.create_task_group() as rest:

            async def give_up() -> None:
                await self._clock.sleep(seconds)
                rest.cancel_scope.cancel()

            rest.start_soon(give_up)
            await self._rung.wait()
            rest.cancel_scope.cancel()
