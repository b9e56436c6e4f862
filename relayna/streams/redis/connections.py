"""The connections to one place: made when they are needed, lent to one at a time, kept for the next.

Owns how many there are, and that one that is not in step is lent to nobody any more. Knows no command.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from redis import exceptions as driver

from relayna.streams.redis.wire import Connection, Wire

__all__ = ["Connections"]


class Connections:
    """At most so many at a time; whoever finds none free waits for so long."""

    def __init__(
        self,
        make: Callable[[], Connection],
        *,
        most: int,
        wait_seconds: float,
        silence_seconds: float | None,
    ) -> None:
        """`make` gives one that is not connected yet; `silence_seconds` as for `Wire`."""
        self._make = make
        self._wait_seconds = wait_seconds
        self._silence_seconds = silence_seconds
        self._free = anyio.Semaphore(most, fast_acquire=True)
        self._idle: list[Wire] = []
        self._all: set[Wire] = set()

    async def lend(self) -> Wire:
        """The one that was used last, or a new one. Raises what its greeting raises and the driver's errors."""
        try:
            self._free.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait()
        try:
            while self._idle:
                wire = self._idle.pop()
                if wire.is_usable:
                    return wire
                await self._drop(wire)
            return await self._connect()
        except BaseException:
            self._free.release()
            raise

    async def take_back(self, wire: Wire) -> None:
        """Keep it for the next, or drop it when it cannot be used again."""
        self._free.release()
        if wire.is_usable and wire in self._all:
            self._idle.append(wire)
        else:
            await self._drop(wire)

    async def aclose(self) -> None:
        """Close all, those that are lent too. More can be lent afterwards."""
        wires, self._all = self._all, set()
        self._idle.clear()
        try:
            for wire in wires:
                await wire.close()
        finally:  # who is cancelled here, or cannot close one, leaves none of the others open
            for wire in wires:
                await self._drop(wire)

    async def _wait(self) -> None:
        try:
            with anyio.fail_after(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise driver.ConnectionError("No connection available.") from None

    async def _connect(self) -> Wire:
        connection, made = self._make(), self._all
        try:
            await connection.connect()
            wire = Wire(connection, silence_seconds=self._silence_seconds)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await connection.disconnect(nowait=True)
            raise
        made.add(wire)  # not among all, when they were closed meanwhile: then it is not kept either
        return wire

    async def _drop(self, wire: Wire) -> None:
        self._all.discard(wire)
        with anyio.CancelScope(shield=True):
            await wire.drop()
