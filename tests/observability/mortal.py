"""What a process does to the log and the broker, step by step, so that it can be killed at each.

Nothing is stood in for: what was done before the death is really done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from consumer.faults import NotingBroker

from relayna.clock import FrozenClock
from relayna.consumer import Broker, Message
from relayna.ids import StreamId
from relayna.streams import Log
from relayna.streams.keys import KeyGrammar
from relayna.streams.log import (
    PAGE_LIMIT,
    START,
    Append,
    AppendResult,
    FeedReference,
    StreamPage,
    StreamRange,
)

__all__ = ["Killed", "Life", "MortalBroker", "MortalLog", "MortalPublisher"]


class Killed(Exception):
    """The process was killed here."""


class Life:
    """A process that dies at its step of that number, counted from 0; each thing done has a step before and after."""

    def __init__(self, ends_at: int | None = None) -> None:
        self.steps = 0
        self._ends_at = ends_at

    def step(self) -> None:
        """Live, or die."""
        step, self.steps = self.steps, self.steps + 1
        if self._ends_at is not None and step >= self._ends_at:
            raise Killed


class MortalLog:
    """A log as one process uses it."""

    def __init__(self, log: Log, life: Life) -> None:
        self._log = log
        self._life = life

    @property
    def keys(self) -> KeyGrammar:
        return self._log.keys

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        self._life.step()
        results = await self._log.append(appends)
        self._life.step()
        return results

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        self._life.step()
        pages = await self._log.read(ranges)
        self._life.step()
        return pages

    async def read_feed(
        self, shard: int, *, after: StreamId = START, limit: int = PAGE_LIMIT
    ) -> list[FeedReference]:
        return await self._log.read_feed(shard, after=after, limit=limit)

    async def ping(self) -> None:
        await self._log.ping()

    async def __aenter__(self) -> Self:
        await self._log.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._log.__aexit__(kind, error, traceback)


class MortalBroker(NotingBroker):
    """A broker; whoever replays by it may die around a publish."""

    def __init__(self, *, clock: FrozenClock) -> None:
        super().__init__(clock=clock)
        self.life = Life()
        self.when_published: Callable[[], object] | None = None

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        life, when_published = self.life, self.when_published
        life.step()
        await super().publish(message, exchange=exchange, routing_key=routing_key)
        if when_published is not None:
            when_published()
        life.step()


class MortalPublisher:
    """Any broker, as one process publishes by it."""

    def __init__(self, broker: Broker, life: Life) -> None:
        self._broker = broker
        self._life = life

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        self._life.step()
        await self._broker.publish(
            message, exchange=exchange, routing_key=routing_key, confirm_timeout=confirm_timeout
        )
        self._life.step()

    async def __aenter__(self) -> Self:
        await self._broker.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._broker.__aexit__(kind, error, traceback)
