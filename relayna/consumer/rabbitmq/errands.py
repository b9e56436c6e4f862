"""What must be finished even when whoever wanted it is cancelled: closing, mostly.

Owns tasks that belong to no task group: a shielded scope does not hold against a native cancel of the task
that waits in it, and its own task does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

__all__ = ["Errands"]


class Errands:
    """Tasks under way. They must end by themselves, and raise nothing."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, errand: Coroutine[Any, Any, None]) -> asyncio.Task[None]:  # Any: the loop's affair
        """Begin it, and do not wait."""
        task = asyncio.create_task(errand)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def run(self, errand: Coroutine[Any, Any, None]) -> None:  # Any: the loop's affair
        """Return when it is done. Cancelling the wait leaves it under way."""
        await asyncio.wait({self.send(errand)})

    async def all_done(self) -> None:
        """Return when none is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)
