"""When a failed delivery is tried again, and when it is given up. Pure data."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr

from relayna.errors import InvalidSetting
from relayna.topologies.naming import LONGEST_DELAY_MS

__all__ = ["RetryPolicy"]

_DELAYS: Final = 32
"""Delays grow no further after so many retries: every one is up to three queues on the broker."""
_BOUNDS: Final = {
    "max_retries": (0, 2**31 - 1),
    "delay_ms": (1, LONGEST_DELAY_MS),
    "backoff": (1, 1_000),
    "max_delay_ms": (1, LONGEST_DELAY_MS),
    "jitter": (0, math.nextafter(1, 0)),
}
_FRACTIONS: Final = frozenset({"backoff", "jitter"})


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Retries with growing delays, then a dead letter. Raises `InvalidSetting`.

    The delays are a fixed ladder, one retry queue a rung: RabbitMQ cannot wait a different time for each
    message of a queue without the short waits standing behind the long ones. So that messages that failed
    together do not all come back together, each delay is spread over three rungs (docs/decisions/0008). Which
    of them a message takes follows from a hash of its id and the retry's number, not from chance: a delivery
    that is repeated asks for the same queue as before, and the decision stays a pure function.
    """

    max_retries: int = 3
    delay_ms: int = 30_000
    """Before the first retry."""
    backoff: float = 2.0
    """Each further delay is this many times the one before."""
    max_delay_ms: int = 3_600_000
    """No delay is longer before it is spread, unless the first one is already."""
    jitter: float = 0.2
    """By which part of itself a delay is made shorter, or longer, for a third of the messages each. From 0, which
    spreads nothing and takes one queue a delay instead of three, to less than 1."""
    non_retryable: tuple[type[Exception], ...] = ()
    """Errors that a retry cannot mend: a dead letter at once."""

    def __post_init__(self) -> None:
        """Raises `InvalidSetting`."""
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            kinds = (int, float) if name in _FRACTIONS else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
                bounds = "from 0 to less than 1" if name == "jitter" else f"from {least} to {most}"
                problem = f"{value!r} must be a number {bounds}"
                raise InvalidSetting(f"retry_policy.{name}", "argument", problem)
        force_setattr(self, "non_retryable", _exception_types(self.non_retryable))

    def delay_before(self, retry: int, spread_by: str | bytes) -> int:
        """Milliseconds before the retry of that number, counted from 1, for one message: one of `rungs(retry)`.

        `spread_by` is the message's id, or its body when it has none.

        >>> policy = RetryPolicy(delay_ms=1000)
        >>> [policy.delay_before(1, message_id) for message_id in ("m-1", "m-2", "m-1")]
        [1200, 800, 1200]
        """
        rungs = self.rungs(retry)
        message = spread_by.encode(errors="surrogatepass") if isinstance(spread_by, str) else spread_by
        digest = hashlib.sha256(b"%d:%b" % (retry, message)).digest()
        return rungs[int.from_bytes(digest) % len(rungs)]

    def rungs(self, retry: int) -> tuple[int, ...]:
        """What messages can wait before the retry of that number, in milliseconds, shortest first.

        >>> [RetryPolicy(delay_ms=1000).rungs(retry) for retry in (1, 2)]
        [(800, 1000, 1200), (1600, 2000, 2400)]
        """
        longest = max(self.delay_ms, self.max_delay_ms)
        # At most 1000 ** 31: exponents are bounded before they are used, for 2.0 ** 5000 raises.
        grown = self.delay_ms * math.pow(self.backoff, max(0, min(retry, _DELAYS) - 1))
        delay = int(min(longest, grown))
        spread = (round(delay * part) for part in (1 - self.jitter, 1, 1 + self.jitter))
        return tuple(sorted({min(max(rung, 1), LONGEST_DELAY_MS) for rung in spread}))

    def is_last_chance(self, unfinished: int) -> bool:
        """Whether the next attempt is the last one, after so many that began and never ended."""
        return unfinished == self._unfinished_allowed

    def is_poison(self, unfinished: int) -> bool:
        """Whether a message has taken enough workers with it: so many attempts began and never ended."""
        return unfinished > self._unfinished_allowed

    @property
    def _unfinished_allowed(self) -> int:
        # A worker's end speaks against all that it had in hand, so even without retries one end is too little.
        return max(1, self.max_retries)

    def ladder(self) -> tuple[int, ...]:
        """Every delay that can occur, in milliseconds, shortest first."""
        retries = range(1, min(self.max_retries, _DELAYS) + 1)
        return tuple(sorted({rung for retry in retries for rung in self.rungs(retry)}))


def _exception_types(given: object) -> tuple[type[Exception], ...]:
    types = tuple(given) if isinstance(given, Iterable) else (given,)
    for one in types:
        if not (isinstance(one, type) and issubclass(one, Exception)):
            raise InvalidSetting("retry_policy.non_retryable", "argument", f"{one!r} is no exception type")
    return types
