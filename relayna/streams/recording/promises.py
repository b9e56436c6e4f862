"""Promises of durability: who waits until everything up to a position is stored.

Owns the queue of those who wait, each for so long at most. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Promises"]


class Promises:
    """Futures in the order of their positions; each becomes whether all before its position is stored."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, asyncio.Future[bool], asyncio.TimerHandle]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def make(self, position: int, seconds: float) -> asyncio.Future[bool]:
        """A promise about every event before `position`; false after so long. Positions never decrease."""
        loop = asyncio.get_running_loop()
        promise: asyncio.Future[bool] = loop.create_future()
        # A timer of its own: a cancel scope for each that waits costs five times as much.
        self._waiting.append((position, promise, loop.call_later(seconds, _settle, promise, False)))  # noqa: FBT003
        return promise

    def settle(self, *, stored: int, hopeful: int) -> None:
        """All before `stored` is stored or given up; of the rest before `hopeful`, nothing will be soon."""
        while self._waiting and self._waiting[0][0] <= max(stored, hopeful):
            position, promise, timer = self._waiting.popleft()
            timer.cancel()
            _settle(promise, position <= stored)


def _settle(promise: asyncio.Future[bool], is_kept: bool) -> None:
    if not promise.done():  # nobody waits any more when its budget ran out
        promise.set_result(is_kept)
