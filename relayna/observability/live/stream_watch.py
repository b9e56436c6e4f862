"""Waits for news of the streams of many graphs at once, for a whole process.

Owns which streams are asked about together: those that were just begun with are asked about every few
milliseconds, and as soon as they are quiet groups of them wait in the log, one request a group. Nobody who
waits is told what is new, and no wait in the log is ever broken off because somebody else has news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import anyio

from relayna.errors import StoreError
from relayna.ids import StreamId
from relayna.streams import Log, TaskAddress

__all__ = ["STREAMS_A_GROUP", "StreamWatch"]

STREAMS_A_GROUP: Final = 64

_SECONDS_BETWEEN_POLLS: Final = 0.02
_SECONDS_A_GROUP_WAITS: Final = 1.0
_FIRST_BACKOFF_SECONDS: Final = 0.1
_LONGEST_BACKOFF_SECONDS: Final = 5.0

_Place: TypeAlias = tuple[TaskAddress, StreamId]
"""A stream, and up to where somebody knows it."""


class _Waiter:
    """Who waits for news of any of some streams."""

    def __init__(self) -> None:
        self.told = anyio.Event()


class StreamWatch:
    """Run it (`run`) in a task of its own; `news` is for any number of others in that event loop."""

    def __init__(self, log: Log, *, on_change: Callable[[], None] = lambda: None) -> None:
        """`on_change` is called when the store goes away and when it is back."""
        self._log = log
        self._on_change = on_change
        self._waiters: dict[_Place, set[_Waiter]] = {}
        self._unasked: dict[_Place, None] = {}
        """Those that the log is not asked about right now, the longest in that state first."""
        self._asked: set[_Place] = set()
        self._groups = 0
        self._stir = anyio.Event()
        self._backoff = 0.0
        self.is_store_up = True

    async def news(self, positions: Mapping[TaskAddress, StreamId]) -> None:
        """Return when one of these streams has an entry after its position, or the store is back again."""
        waiter = _Waiter()
        for place in positions.items():
            self._waiters.setdefault(place, set()).add(waiter)
            if place not in self._asked:
                self._unasked[place] = None
        self._stir.set()
        try:
            await waiter.told.wait()
        finally:
            for place in positions.items():
                self._waiters[place].discard(waiter)
                if not self._waiters[place]:
                    del self._waiters[place]
                    self._unasked.pop(place, None)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with anyio.create_task_group() as groups:
            while True:
                await self._stir.wait()
                await self._ask(self._take(len(self._unasked)), wait_seconds=0)
                if not self.is_store_up:
                    self._backoff = min(2 * self._backoff, _LONGEST_BACKOFF_SECONDS)
                while self.is_store_up and self._groups < self._groups_wanted() and self._unasked:
                    self._groups += 1
                    groups.start_soon(self._wait_in_log, self._take(STREAMS_A_GROUP))
                if not self._unasked:
                    self._stir = anyio.Event()
                else:
                    await anyio.sleep(self._backoff or _SECONDS_BETWEEN_POLLS)

    def _groups_wanted(self) -> int:
        return -(-len(self._waiters) // STREAMS_A_GROUP)

    async def _wait_in_log(self, group: dict[TaskAddress, StreamId]) -> None:
        try:
            while group:
                await self._ask(group, wait_seconds=_SECONDS_A_GROUP_WAITS)
                # With fewer streams than there were, others make room for these.
                is_wanted = self.is_store_up and self._groups <= self._groups_wanted()
                group = self._take(STREAMS_A_GROUP) if is_wanted else {}
        finally:
            self._groups -= 1

    def _take(self, most: int) -> dict[TaskAddress, StreamId]:
        """Up to so many that nobody asks about; of a stream known up to several places only one."""
        taken: dict[TaskAddress, StreamId] = {}
        for address, position in self._unasked:
            if len(taken) == most:
                break
            taken.setdefault(address, position)
        for place in taken.items():
            del self._unasked[place]
            self._asked.add(place)
        return taken

    async def _ask(self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float) -> None:
        if not positions:
            return
        found: set[TaskAddress] = set()
        try:
            found = await self._log.changed(positions, wait_seconds=wait_seconds)
        except StoreError:
            self._lose_store()
        else:
            self._find_store()
        finally:
            self._give_back(positions)
        self._tell((address, positions[address]) for address in found)

    def _give_back(self, positions: Mapping[TaskAddress, StreamId]) -> None:
        """They are to be asked about again, if anybody still waits."""
        for place in positions.items():
            self._asked.discard(place)
            if place in self._waiters:
                self._unasked[place] = None
        if self._unasked:
            self._stir.set()

    def _tell(self, places: Iterable[_Place]) -> None:
        for place in places:
            self._unasked.pop(place, None)
            for waiter in self._waiters.get(place, ()):
                waiter.told.set()

    def _lose_store(self) -> None:
        if self.is_store_up:
            self.is_store_up, self._backoff = False, _FIRST_BACKOFF_SECONDS
            self._on_change()

    def _find_store(self) -> None:
        if self.is_store_up:
            return
        self.is_store_up, self._backoff = True, 0.0
        # What it has may be another's, or older: everybody looks again.
        self._tell(list(self._waiters))
        self._on_change()
