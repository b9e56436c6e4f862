"""The gate before large graphs: few are made at a time, few more wait, and others are told to come again.

Owns who may go in. One gate serves all graph services of a process, for memory and processors are the
process's.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

import anyio

from relayna.errors import InvalidSetting, RelaynaError
from relayna.observability.interpreter_manners import InterpreterManners

__all__ = ["Admission", "Busy", "Turn"]


class Busy(RelaynaError):
    """Too many large graphs are asked for at once."""

    def __init__(self) -> None:
        super().__init__(
            "This process is busy with other large graphs. "
            "Ask again in some seconds, or for less: a smaller max_nodes or depth."
        )


class Turn:
    """One question's way through the gate: a turn that may be taken in a context, and is given back at its end."""

    def __init__(self, gate: Admission) -> None:
        self._gate = gate
        self._inside: ExitStack | None = None
        """None for most, who stay outside."""

    async def take(self) -> None:
        """Go in, or do nothing when in already. Raises `Busy`."""
        if self._inside is None:
            inside = ExitStack()
            await self._gate.enter(inside)
            self._inside = inside

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave, when in."""
        if self._inside is not None:
            self._inside.close()


class Admission:
    """Lets `at_once` in; at most `waiting` more wait, for at most `wait_seconds` each. Raises `InvalidSetting`.

    While anybody is in, the interpreter minds its manners (`interpreter_manners.py`).
    """

    def __init__(self, *, at_once: int = 2, waiting: int = 32, wait_seconds: float = 10.0) -> None:
        for name, number, least in (("at_once", at_once, 1), ("waiting", waiting, 0)):
            if number < least:
                raise InvalidSetting(name, "argument", f"{number} is less than {least}")
        if not wait_seconds >= 0:
            raise InvalidSetting("wait_seconds", "argument", f"{wait_seconds} is less than 0")
        self._places = anyio.Semaphore(at_once)
        self._waiting = 0
        self._most_waiting = waiting
        self._wait_seconds = wait_seconds
        self._manners = InterpreterManners()

    def turn(self) -> Turn:
        """One that may be taken while its context lasts."""
        return Turn(self)

    async def enter(self, inside: ExitStack) -> None:
        """Wait to be let in; closing `inside` leaves. Raises `Busy`."""
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait()
        inside.callback(self._places.release)
        inside.enter_context(self._manners.minded())

    async def _wait(self) -> None:
        if self._waiting >= self._most_waiting:
            raise Busy
        self._waiting += 1
        try:
            with anyio.fail_after(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Busy from None
        finally:
            self._waiting -= 1
