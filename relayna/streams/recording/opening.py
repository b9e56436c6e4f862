"""The log's being open while the flusher runs.

Owns opening it, again and again while the store does not answer, and closing it. Whoever enters the
recorder waits for the first try only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from relayna.errors import StoreError
from relayna.streams.log import Log
from relayna.streams.outcomes import Outcome, ruling
from relayna.streams.recording.breaker import Breaker
from relayna.streams.recording.outage import Outage

__all__ = ["Opening"]

_logger: Final = logging.getLogger("relayna.recorder")


class Opening:
    """Opens one log and closes it. Make it in the event loop that it is to be used in."""

    def __init__(self, log: Log, breaker: Breaker, outage: Outage) -> None:
        self._log = log
        self._breaker = breaker
        self._outage = outage
        self.is_open = False
        """Whether it is open now."""
        self._tried = asyncio.Event()
        self.error: Exception | None = None
        """What opening it raised that belongs to whoever enters."""

    async def tried(self) -> None:
        """Return when the log is open, or unreachable and being tried. Raises what opening it raised."""
        await self._tried.wait()
        if self.error is not None:
            raise self.error

    def give_up(self) -> None:
        """Nobody will try any more."""
        self._tried.set()

    async def open(self, back_off: Callable[[], Awaitable[None]]) -> bool:
        """Open it, however long that takes; False when it cannot be, by whoever enters' own mistake."""
        while True:
            try:
                await self._log.__aenter__()
            except StoreError as error:
                # Recording starts without the store, as it goes on without it.
                shut = ruling(error).outcome is Outcome.PERMANENT
                self._breaker.failed(shut=shut)
                self._outage.began(error, shut=shut)
            except Exception as error:  # it belongs to whoever enters
                if not self._tried.is_set():
                    self.error = error
                    return False
                self._breaker.failed(shut=False)
                _logger.exception("The log cannot be opened; recording goes on in memory")
            else:
                self._breaker.succeeded()
                self._outage.ended()
                self.is_open = True
                self._tried.set()
                return True
            self._tried.set()
            await back_off()

    async def close(self, deadline_seconds: float) -> None:
        """Close it, when it is open."""
        if not self.is_open:
            return
        with anyio.move_on_after(deadline_seconds, shield=True):
            try:
                await self._log.__aexit__(None, None, None)
            except StoreError as error:
                _logger.warning("The log did not close cleanly: %s", error)
