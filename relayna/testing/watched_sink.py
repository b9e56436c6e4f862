"""A sink that tells whoever waits that something was recorded. Owns the bell; recording is the recorder's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from relayna.errors import RecorderClosed
from relayna.events import Event, RecordedEvent
from relayna.ids import TaskId
from relayna.streams import Durability, ObservationSink

__all__ = ["WatchedSink"]


class WatchedSink:
    """An `ObservationSink` that passes everything on to another, for one event loop at a time."""

    def __init__(self, sink: ObservationSink) -> None:
        self.news = asyncio.Event()
        """Set when something is recorded; then there is a new one for what comes after."""
        self.task_ids: dict[TaskId, None] = {}
        """The tasks of which something was recorded, in order."""
        self._sink = sink
        self._loop: asyncio.AbstractEventLoop | None = None

    def record(self, event: Event, *, topology_kind: str | None = None) -> None:
        """As the sink does; callable from any thread."""
        self._sink.record(event, topology_kind=topology_kind)
        self.task_ids[event.envelope.task_id] = None
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._ring)

    async def durable(self, *, budget_seconds: float = 0.25) -> Durability:
        """As the sink does."""
        return await self._sink.durable(budget_seconds=budget_seconds)

    async def read(self, task_id: TaskId) -> Sequence[RecordedEvent]:
        """As the sink does."""
        return await self._sink.read(task_id)

    async def flushed(self) -> None:
        """Return when all that was recorded can be read; a closed sink has stored it at its end."""
        with contextlib.suppress(RecorderClosed):
            await self._sink.durable()

    async def __aenter__(self) -> Self:
        """Enter the sink."""
        self._loop = asyncio.get_running_loop()
        await self._sink.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the sink."""
        await self._sink.__aexit__(kind, error, traceback)

    def _ring(self) -> None:
        self.news.set()
        self.news = asyncio.Event()
