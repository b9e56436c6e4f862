"""When a failed delivery is tried again, and when it is given up. Pure data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr

from relayna.errors import InvalidSetting
from relayna.topologies.naming import LONGEST_DELAY_MS

__all__ = ["RetryPolicy"]

_RUNGS: Final = 32
"""Delays grow no further after so many retries: every rung is a queue on the broker."""
_BOUNDS: Final = {
    "max_retries": (0, 2**31 - 1),
    "delay_ms": (1, LONGEST_DELAY_MS),
    "backoff": (1, 1_000),
    "max_delay_ms": (1, LONGEST_DELAY_MS),
}


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Retries with growing delays, then a dead letter. Raises `InvalidSetting`.

    The delays are a fixed ladder, one retry queue a rung: RabbitMQ cannot wait a different time for each
    message of a queue without the short waits standing behind the long ones.
    """

    max_retries: int = 3
    delay_ms: int = 30_000
    """Before the first retry."""
    backoff: float = 2.0
    """Each further delay is this many times the one before."""
    max_delay_ms: int = 3_600_000
    """No delay is longer, unless the first one is already."""
    non_retryable: tuple[type[Exception], ...] = ()
    """Errors that a retry cannot mend: a dead letter at once."""

    def __post_init__(self) -> None:
        """Raises `InvalidSetting`."""
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            kinds = (int, float) if name == "backoff" else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
                problem = f"{value!r} must be a number from {least} to {most}"
                raise InvalidSetting(f"retry_policy.{name}", "argument", problem)
        force_setattr(self, "non_retryable", _exception_types(self.non_retryable))

    def delay_before(self, retry: int) -> int:
        """Milliseconds before the retry of that number, counted from 1.

        >>> [RetryPolicy(delay_ms=1000).delay_before(retry) for retry in (1, 2, 3)]
        [1000, 2000, 4000]
        """
        longest = max(self.delay_ms, self.max_delay_ms)
        # At most 1000 ** 31: exponents are bounded before they are used, for 2.0 ** 5000 raises.
        grown = self.delay_ms * math.pow(self.backoff, max(0, min(retry, _RUNGS) - 1))
        return int(min(longest, grown))

    def ladder(self) -> tuple[int, ...]:
        """Every delay that can occur, in milliseconds, shortest first."""
        retries = range(1, min(self.max_retries, _RUNGS) + 1)
        return tuple(sorted({self.delay_before(retry) for retry in retries}))


def _exception_types(given: object) -> tuple[type[Exception], ...]:
    types = tuple(given) if isinstance(given, Iterable) else (given,)
    for one in types:
        if not (isinstance(one, type) and issubclass(one, Exception)):
            raise InvalidSetting("retry_policy.non_retryable", "argument", f"{one!r} is no exception type")
    return types
