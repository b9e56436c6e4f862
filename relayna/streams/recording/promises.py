"""Promises of durability: who waits until everything up to a position is stored.

Owns the queue of those who wait. Belongs to one event loop; measures no time.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Promises"]


class Promises:
    """Futures in the order of their positions; each becomes whether all before its position is stored."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, asyncio.Future[bool]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def make(self, position: int) -> asyncio.Future[bool]:
        """A promise about every event before `position`. Positions never decrease."""
        promise = asyncio.get_running_loop().create_future()
        self._waiting.append((position, promise))
        return promise

    def settle(self, *, stored: int, hopeful: int) -> None:
        """All before `stored` is stored or given up; of the rest before `hopeful`, nothing will be soon."""
        while self._waiting and self._waiting[0][0] <= max(stored, hopeful):
            position, promise = self._waiting.popleft()
            if not promise.done():  # nobody waits any more when its budget ran out
                promise.set_result(position <= stored)
