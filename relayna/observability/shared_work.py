"""Work that several ask for at the same time is done once.

Owns that nobody is given an answer from before they asked, and that who gives up takes nobody else along.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

__all__ = ["SharedWork"]

ResultT = TypeVar("ResultT")


class _Run(Generic[ResultT]):
    """One doing of the work."""

    def __init__(self) -> None:
        self.result: tuple[ResultT] | None = None
        self.error: Exception | None = None
        self._ended: anyio.Event | None = None
        """Made when somebody waits, which is rare, and dear beside a small piece of work."""

    async def wait(self) -> None:
        if self._ended is None:
            self._ended = anyio.Event()
        await self._ended.wait()

    def end(self) -> None:
        if self._ended is not None:
            self._ended.set()


class SharedWork(Generic[ResultT]):
    """Runs, by key. All of them are of one event loop."""

    def __init__(self) -> None:
        self._runs: dict[Hashable, _Run[ResultT]] = {}

    async def do(
        self,
        key: Hashable,
        work: Callable[[], Awaitable[ResultT]],
        *,
        still_true: Callable[[ResultT], Awaitable[bool]],
    ) -> ResultT:
        """What `work` gives, done here or taken from one who does it for the same key right now.

        A run that began before we asked counts only when its result is `still_true` after it; one that
        begins later counts in any case, its error too.
        """
        began_before = self._runs.get(key)
        while (run := self._runs.get(key)) is not None:
            await run.wait()
            if run.error is not None and run is not began_before:
                raise run.error
            # Without a result, whoever did it was cancelled: the next one does it.
            if run.result is not None and (run is not began_before or await still_true(run.result[0])):
                return run.result[0]
        return await self._run(key, work)

    async def _run(self, key: Hashable, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
        run = self._runs[key] = _Run()
        try:
            result = await work()
        except Exception as error:
            run.error = error
            raise
        else:
            run.result = (result,)
            return result
        finally:
            del self._runs[key]
            run.end()
