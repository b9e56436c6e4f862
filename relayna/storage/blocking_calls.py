"""Runs a storage's blocking calls in threads, and no more of them while too many hang.

Owns how many may hang: a call whose caller has gone keeps its thread until it returns, which may be never. Knows
nothing of what the calls do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

import anyio.to_thread

from relayna.storage.payload_errors import PayloadStorageFailed

__all__ = ["MOST_HANGING", "BlockingCalls"]

ResultT = TypeVar("ResultT")

MOST_HANGING: Final = 8
"""So many threads may be left behind; then calls fail at once, until one of those returns."""


class BlockingCalls:
    """The calls of one storage at `place`, credentials masked. Whoever waits for one may be cancelled."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._under_way: set[object] = set()
        self._hanging: set[object] = set()

    @property
    def hanging(self) -> int:
        """How many have not returned, and nobody waits for them."""
        return len(self._hanging)

    async def run(self, call: Callable[[], ResultT]) -> ResultT:
        """What the call returns or raises. Raises `PayloadStorageFailed` while too many hang."""
        with self._lock:
            if len(self._hanging) >= MOST_HANGING:
                problem = f"{MOST_HANGING} calls to it have not returned, and nobody waits for them any more"
                raise PayloadStorageFailed(self._place, problem)
        mine = object()

        def called() -> ResultT:
            with self._lock:
                self._under_way.add(mine)
            try:
                return call()
            finally:
                with self._lock:
                    self._under_way.discard(mine)
                    self._hanging.discard(mine)

        try:
            return await anyio.to_thread.run_sync(called, abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            with self._lock:
                if mine in self._under_way:
                    self._hanging.add(mine)
            raise
