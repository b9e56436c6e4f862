"""How often something is tried again. Owns the waiting between tries; tries nothing itself."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from relayna.streams.recording.backoff import Backoff

__all__ = ["RECONNECT_BACKOFF", "Pace"]

RECONNECT_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=5.0)

_SECONDS_BETWEEN_TRIES = 1.0


class Pace:
    """At most one try a second; after failures in a row, longer and with full jitter."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures = 0
        self._last_try = float("-inf")
        self._longer = 0.0

    async def next_try(self) -> None:
        """Return when the next try may begin. The first may at once."""
        now = anyio.current_time()
        pause = max(self._longer, self._last_try + _SECONDS_BETWEEN_TRIES - now)
        await anyio.sleep(max(pause, 0.0))
        self._last_try = anyio.current_time()

    def failed(self) -> None:
        """A try failed, or what it won was lost."""
        self._failures += 1
        self._longer = self._backoff.seconds(self._failures)

    def succeeded(self) -> None:
        """A try worked."""
        self._failures = 0
        self._longer = 0.0
