"""When a failed delivery is tried again, and when it is given up. Pure data."""

from __future__ import annotations

from msgspec import Struct

from relayna.errors import InvalidSetting

__all__ = ["RetryPolicy"]


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Retries with growing delays, then a dead letter.

    The delays are a fixed ladder, one retry queue a rung: RabbitMQ cannot wait a different time for each
    message of a queue without the short waits standing behind the long ones.
    """

    max_retries: int = 3
    delay_ms: int = 30_000
    """Before the first retry."""
    backoff: float = 2.0
    """Each further delay is this many times the one before."""
    max_delay_ms: int = 3_600_000
    non_retryable: tuple[type[Exception], ...] = ()
    """Errors that a retry cannot mend: a dead letter at once."""

    def __post_init__(self) -> None:
        """Raises `InvalidSetting`."""
        for name, least in (("max_retries", 0), ("delay_ms", 0), ("backoff", 1), ("max_delay_ms", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
                raise InvalidSetting(
                    f"retry_policy.{name}", "argument", f"{value!r} must be at least {least}"
                )

    def delay_before(self, retry: int) -> int:
        """Milliseconds before the retry of that number, counted from 1.

        >>> [RetryPolicy(delay_ms=1000).delay_before(retry) for retry in (1, 2, 3)]
        [1000, 2000, 4000]
        """
        longest = max(self.delay_ms, self.max_delay_ms)
        # Exponents are bounded before they are used: 2.0 ** 5000 raises.
        return int(min(longest, self.delay_ms * self.backoff ** min(retry - 1, 64)))

    def ladder(self) -> tuple[int, ...]:
        """Every delay that can occur, in milliseconds, shortest first."""
        return tuple(sorted({self.delay_before(retry) for retry in range(1, self.max_retries + 1)}))
