"""How the store has done of late: whether it is worth waiting for, and when it may be tried again.

Owns the count of failures and the spacing of tries. Waits for nothing itself; belongs to one event loop.
"""

from __future__ import annotations

from typing import Final

from relayna.clock import Clock
from relayna.streams.recording.backoff import Backoff

__all__ = ["Breaker"]

_BREAKER_FAILURES: Final = 3
"""After so many failures of the store in a row nobody is kept waiting for it."""


class Breaker:
    """Counts failures in a row and spaces the tries that follow them.

    A try after a failure makes a new connection, so tries are reconnects here: `Backoff` says how many
    of them there may be.
    """

    def __init__(self, backoff: Backoff, clock: Clock) -> None:
        self._backoff = backoff
        self._clock = clock
        self._failures = 0
        self._is_shut = False
        self._next_reconnect = 0.0
        self._next_try = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether the last try succeeded, or none has failed yet."""
        return not self._failures

    @property
    def is_open(self) -> bool:
        """Whether the store is known to be away."""
        return self._is_shut or self._failures >= _BREAKER_FAILURES

    def is_hopeless_within(self, seconds: float) -> bool:
        """Whether nobody needs to wait so long: the store is known to be away, or is not tried again by then."""
        return self.is_open or (self._failures > 0 and self._next_try - self._clock.now() / 1e6 > seconds)

    def succeeded(self) -> None:
        """The store took something."""
        self._failures, self._is_shut = 0, False

    def failed(self, *, shut: bool) -> None:
        """The store took nothing; `shut` says that it will not until somebody has helped it."""
        self._failures += 1
        self._is_shut = shut

    def pause(self) -> float:
        """Seconds to wait before the next try; whoever asks makes it then."""
        return self.pause_after(self._failures, shut=self._is_shut)

    def pause_after(self, failures: int, *, shut: bool = False) -> float:
        """The same for a part of the store, which has failed so often in a row."""
        now = self._clock.now() / 1e6
        wanted = self._backoff.probe_pause() if shut else self._backoff.seconds(failures)
        # A clock that was set back must not hold us up for longer than the spacing itself.
        rest = min(self._next_reconnect - now, 2 * self._backoff.reconnect_seconds)
        pause = max(wanted, rest)
        self._next_try = now + pause
        self._next_reconnect = self._next_try + self._backoff.reconnect_pause()
        return pause

    def hurry(self) -> None:
        """What was a long wait is now a quick last try."""
        self._failures, self._is_shut = min(self._failures, 1), False
        self._next_reconnect = self._next_try = 0.0
