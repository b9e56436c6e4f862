"""One who follows an execution live: what they were told last, and what they are to be told next.

Owns the order of messages. Remembers a version and no queue, so that whoever is slow costs no more than others:
they are told later, and of everything since at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
from msgspec import Struct

from relayna.observability.live.messages import LiveEnd, LiveGap, LiveMessage, LiveStatus
from relayna.observability.live.view import LiveView
from relayna.projections.graph import ExecutionGraph

__all__ = ["Known", "Subscription"]


class Known(Struct, frozen=True):
    """What a follower has when they come."""

    version: str
    graph: ExecutionGraph | None
    """None when nobody knows any more what that version was."""


class Subscription:
    """Ask for messages one by one; close it when nobody will ask any more."""

    def __init__(self, view: LiveView, known: Known | None, *, on_close: Callable[[], None]) -> None:
        self._view = view
        self._on_close = on_close
        self._due: deque[LiveMessage] = deque()
        self._version: str | None = None
        self._graph: ExecutionGraph | None = None
        """Of a version that only this follower has."""
        graph = view.versions.graph
        if known is not None and known.graph is None:
            self._due.append(LiveMessage(LiveGap("unknown_version")))
        elif known is not None and known.graph is not None:
            self._version, self._graph = known.version, known.graph
            graph = known.graph
        self._told = LiveStatus(graph.summary.status, "up")
        self._is_over = False
        self._is_closed = False
        self._stir = anyio.Event()
        view.followers.add(self._wake)

    @property
    def has_all(self) -> bool:
        """Whether the execution is over and the follower came with all there is of it."""
        view = self._view
        return not self._due and view.over is not None and self._version == view.versions.latest

    async def next_message(self) -> LiveMessage | None:
        """What to tell now, or as soon as there is something; None when nothing more will come.

        May be cancelled and asked again.
        """
        while not self._is_closed:
            stir = self._stir
            if not self._due and not self._is_over:
                await self._look()
            if self._due:
                return self._due.popleft()
            if self._is_over or self._view.is_closed:
                return None
            await stir.wait()
        return None

    def due_message(self) -> LiveMessage | None:
        """What is to be told right after the message before, if anything."""
        return self._due.popleft() if self._due and not self._is_closed else None

    def close(self) -> None:
        """Nobody asks any more; who is just asking gets None."""
        if self._is_closed:
            return
        self._is_closed = True
        self._view.followers.discard(self._wake)
        self._wake()
        self._on_close()

    def _wake(self) -> None:
        self._stir.set()
        self._stir = anyio.Event()

    async def _look(self) -> None:
        """Find out what is due."""
        view = self._view
        if self._version != view.versions.latest:
            await self._tell_version()
        status, message = view.standing()
        if status != self._told:
            self._told = status
            self._due.append(message)
        if view.over is not None and self._version == view.versions.latest:
            self._is_over = True
            self._due.append(LiveMessage(LiveEnd(view.over, view.status), self._version))

    async def _tell_version(self) -> None:
        versions = self._view.versions
        message = None
        if self._graph is not None and self._version is not None:
            message = await versions.patch_between(self._version, self._graph)
        elif self._version is not None:
            message = await versions.patch_from(self._version)
            if message is None:
                self._due.append(LiveMessage(LiveGap("fell_behind")))
        if message is None:
            message = versions.snapshot()
            self._told = LiveStatus(versions.graph.summary.status, self._told.store)
        self._version, self._graph = message.version, None
        self._due.append(message)
