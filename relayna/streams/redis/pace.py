"""How often servers are asked who is who. Owns the waiting's arithmetic; waits for nothing itself."""

from __future__ import annotations

import random
from collections.abc import Callable

import anyio

__all__ = ["Pace"]

_SECONDS = 1.0


class Pace:
    """At most one turn a second, and up to half as long again, so that many processes do not ask in step."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._next = float("-inf")

    def take_turn(self) -> bool:
        """Whether it is time; if so, the turn is taken."""
        now = anyio.current_time()
        if now < self._next:
            return False
        self._next = now + _SECONDS * (1 + self._draw() / 2)
        return True
