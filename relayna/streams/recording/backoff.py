"""How long to wait before the next try. Owns the arithmetic; waits for nothing itself."""

from __future__ import annotations

import random
from collections.abc import Callable

from msgspec import Struct

__all__ = ["Backoff"]


class Backoff(Struct, frozen=True, kw_only=True):
    """Exponential backoff with full jitter: anything from nothing to a bound that doubles with each try.

    Full jitter spreads the workers of a store that returns over the whole span
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    first_seconds: float = 0.05
    longest_seconds: float = 5.0
    reconnect_seconds: float = 1.0
    """At most one reconnect in so long, however small the draw."""
    probe_seconds: float = 5.0
    """Between tries at least, while the store refuses everything until somebody has helped it."""
    draw: Callable[[], float] = random.random
    """A number from 0 to 1; tests bring their own."""

    def seconds(self, failures: int) -> float:
        """How long to wait after so many failures in a row (1, 2, 3…)."""
        bound = self.first_seconds * float(1 << min(max(failures - 1, 0), 32))
        return min(bound, self.longest_seconds) * self.draw()

    def reconnect_pause(self) -> float:
        """From one reconnect to the next: the least, and up to half as long again."""
        return self.reconnect_seconds * (1 + self.draw() / 2)

    def probe_pause(self) -> float:
        """From one probe to the next: the least, and up to half as long again."""
        return self.probe_seconds * (1 + self.draw() / 2)
