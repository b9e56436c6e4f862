"""A log that misbehaves on demand, over a memory log that does not.

It stands in for nothing: what it stores is really stored and read back. It only fails as stores do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

import anyio

from relayna.errors import StoreError, StoreRefused, StoreUnreachable
from relayna.ids import StreamId, TaskId
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.log import (
    PAGE_LIMIT,
    START,
    Append,
    AppendResult,
    FeedReference,
    NotAppended,
    StreamPage,
    StreamRange,
    StreamState,
)
from relayna.streams.memory import MemoryLog

__all__ = ["FaultyLog"]


class FaultyLog:
    """Set its attributes to break it, and set them back to mend it."""

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.log = log or MemoryLog()
        self.unreachable = False
        """Nothing is taken, nothing answers."""
        self.refusing = False
        """Everything is refused, as by a server that is out of memory."""
        self.refused: set[str] = set()
        """Tasks whose frames are refused, whoever's trouble that is."""
        self.unreachable_tasks: set[str] = set()
        """Tasks whose node is down."""
        self.lost_replies = 0
        """So many appends are carried out and then not answered."""
        self.unreadable = False
        """Nothing can be read."""
        self.broken_reads = 0
        """So many reads fail."""
        self.reads = 0
        self.no_streams: set[str] = set()
        """Tasks under whose key is something else than a stream."""
        self.names: Mapping[int, str] = {}
        """What the data set of each shard is called; give it another to have the store go back."""
        self.nameless = False
        """It does not say how they are called."""
        self.outcomes: list[str] = []
        """What becomes of the frames of the next appends, one word each: `stored`, `lost` (carried out and not
        answered), `vanished` (neither), `refused`."""
        self.raising: Exception | None = None
        """What `append` raises, against its contract."""
        self.opening_errors: list[Exception] = []
        """What entering raises, one after the other."""
        self.open = 0
        self.calls: list[list[TaskId]] = []
        """Which tasks' frames each call of `append` brought, from its start on."""
        self._gate = anyio.Event()
        self._gate.set()
        self._changed = anyio.Event()

    @property
    def keys(self) -> KeyGrammar:
        return self.log.keys

    def freeze(self) -> None:
        """From now on no append is answered."""
        self._gate = anyio.Event()

    def thaw(self) -> None:
        """Go on with what was frozen."""
        self._gate.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at whenever an append begins or ends."""
        with anyio.fail_after(10):
            while not condition():
                await self._changed.wait()

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        self.calls.append([append.address.task_id for append in appends])
        self._tell()
        await self._gate.wait()
        await anyio.lowlevel.checkpoint()
        try:
            return await self._answer(appends)
        finally:
            self._tell()

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        self.reads += 1
        self._check_reachable(one.address for one in ranges)
        if self.broken_reads:
            self.broken_reads -= 1
            raise StoreUnreachable("memory", "not this time")
        refused = [one.address.task_id for one in ranges if one.address.task_id in self.no_streams]
        if refused:
            raise StoreRefused(f"XRANGE {refused[0]}", "WRONGTYPE")
        return await self.log.read(ranges)

    async def states(self, addresses: Sequence[TaskAddress]) -> list[StreamState]:
        self._check_reachable(addresses)
        states = await self.log.states(addresses)
        return [
            StreamState() if one.task_id in self.no_streams else state
            for one, state in zip(addresses, states, strict=True)
        ]

    async def changed(
        self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float
    ) -> set[TaskAddress]:
        self._check_reachable(positions)
        usable = {one: after for one, after in positions.items() if one.task_id not in self.no_streams}
        return await self.log.changed(usable, wait_seconds=wait_seconds)

    async def incarnations(self, shards: Collection[int]) -> Mapping[int, str]:
        return {} if self.nameless else self.names

    async def read_feed(
        self, shard: int, *, after: StreamId = START, limit: int = PAGE_LIMIT
    ) -> list[FeedReference]:
        return await self.log.read_feed(shard, after=after, limit=limit)

    async def ping(self) -> None:
        await self.log.ping()

    async def __aenter__(self) -> Self:
        if self.opening_errors:
            raise self.opening_errors.pop(0)
        self.open += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.open -= 1

    def _check_reachable(self, addresses: Iterable[TaskAddress]) -> None:
        if self.unreadable or any(one.task_id in self.unreachable_tasks for one in addresses):
            raise StoreUnreachable("memory", "not now")

    async def _answer(self, appends: Sequence[Append]) -> list[AppendResult]:
        if self.raising is not None:
            raise self.raising
        if self.outcomes:
            return [await self._one(append) for append in appends]
        problems = [self._problem(append) for append in appends]
        taken = [append for append, problem in zip(appends, problems, strict=True) if problem is None]
        stored = iter(await self.log.append(taken))
        if self.lost_replies and taken:
            self.lost_replies -= 1
            lost = StoreUnreachable("memory", "the reply was lost")
            return [NotAppended(lost, outcome_unknown=True) for _ in appends]
        return [next(stored) if problem is None else NotAppended(problem) for problem in problems]

    async def _one(self, append: Append) -> AppendResult:
        word = self.outcomes.pop(0) if self.outcomes else "stored"
        unheard = NotAppended(StoreUnreachable("memory", "the reply was lost"), outcome_unknown=True)
        if word == "vanished":
            return unheard
        if word == "refused":
            return NotAppended(StoreRefused("append", "LOADING"))
        (stored,) = await self.log.append([append])
        return unheard if word == "lost" else stored

    def _problem(self, append: Append) -> StoreError | None:
        if self.unreachable or append.address.task_id in self.unreachable_tasks:
            return StoreUnreachable("memory", "switched off")
        if self.refusing:
            return StoreRefused("append", "OOM")
        if append.address.task_id in self.refused:
            return StoreRefused("append", "ERR it does not say why")
        if append.address.task_id in self.no_streams:
            return StoreRefused("append", "WRONGTYPE")
        return None

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
