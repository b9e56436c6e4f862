"""Keeps apart what may end its process: a message with one attempt left is handled while nothing else is.

Owns who may be handled beside whom, in one process. A worker's end speaks against all that it had in hand; alone,
only the one that was the cause is left. Every wait has an end: two handlers may wait for each other's work.
"""

from __future__ import annotations

from typing import Final

import anyio

__all__ = ["LastChances"]

_SECONDS_FOR_OTHERS_TO_END: Final = 10.0
_SECONDS_TO_STAND_ASIDE: Final = 60.0


class LastChances:
    """The gate that every attempt of a process goes through."""

    def __init__(self) -> None:
        self._last_one = anyio.Lock()
        self._others = 0
        self._alone = False
        self._changed = anyio.Event()

    async def enter(self, *, last: bool) -> None:
        """Wait for the turn: a last chance for all others to end, the others for the last chance to be over."""
        if not last:
            if self._alone:
                with anyio.move_on_after(_SECONDS_TO_STAND_ASIDE):
                    while self._alone:
                        await self._changed.wait()
            self._others += 1
            return
        await self._last_one.acquire()
        self._alone = True
        try:
            with anyio.move_on_after(_SECONDS_FOR_OTHERS_TO_END):
                while self._others:
                    await self._changed.wait()
        except BaseException:
            self.leave(last=True)
            raise

    def leave(self, *, last: bool) -> None:
        """The attempt is over."""
        if last:
            self._alone = False
            self._last_one.release()
        else:
            self._others -= 1
            if not self._alone:
                return  # nobody waits for it
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
