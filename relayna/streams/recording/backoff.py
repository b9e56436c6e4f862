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
    draw: Callable[[], float] = random.random
    """A number from 0 to 1; tests bring their own."""

    def seconds(self, failures: int) -> float:
        """How long to wait after so many failures in a row (1, 2, 3…)."""
        bound = self.first_seconds * float(1 << min(max(failures - 1, 0), 32))
        return min(bound, self.longest_seconds) * self.draw()
