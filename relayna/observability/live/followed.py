"""Something that many follow together: asked for again whenever its streams have news, for all of them at once.

Owns when it is asked again, who is woken by it, and when it ends for want of followers. What is asked for, and what
each follower was told, others know.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import anyio
from msgspec import Struct

from relayna.errors import ExecutionNotFound, StoreError
from relayna.ids import StreamId
from relayna.observability.admission import Busy
from relayna.observability.live.messages import Store
from relayna.observability.live.stream_watch import StreamWatch
from relayna.streams import TaskAddress

__all__ = ["STREAMS_WATCHED", "FollowedView", "Pace"]

_logger = logging.getLogger("relayna.live")

STREAMS_WATCHED: Final = 1_024
"""Of one view. Those of further tasks are not waited for."""


class Pace(Struct, frozen=True, kw_only=True):
    """How often a view is refreshed, and how long it outlives its last follower."""

    interval_seconds: float = 0.03
    """At least so long from one refresh to the next."""
    rest_factor: float = 1.0
    """After a refresh, at least so many times as long as it took."""
    linger_seconds: float = 30.0
    retry_seconds: float = 1.0
    """After a refresh that was not answered."""
    look_seconds: float = 5.0
    """After so long without news a session is asked for all the same: runs that no other run led to are news to
    none of its streams."""


class FollowedView(ABC):
    """`open` it, then let `follow` run. All of its followers are of one event loop."""

    def __init__(self, subject: str, watch: StreamWatch, turns: anyio.Semaphore, *, pace: Pace) -> None:
        """All views share `watch`, and the `turns` in which they are refreshed; `subject` is for the log."""
        self.subject = subject
        self.followers: set[Callable[[], None]] = set()
        """How to wake each of them."""
        self.interested = 0
        """Followers, and those who are about to be."""
        self.is_closed = False
        self._watch = watch
        self._turns = turns
        self._pace = pace
        self._opening = anyio.Lock()
        self._following = anyio.CancelScope()
        self._is_behind = False
        self._is_answered = True
        self._is_gone = False
        self._positions: dict[TaskAddress, StreamId] = {}
        """What was known of its streams before they were last read."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether there is anything to tell yet."""

    @property
    @abstractmethod
    def size(self) -> int:
        """About how many nodes, or edges, are held."""

    @abstractmethod
    async def _refresh(self) -> None:
        """Ask again, and keep the answer and where its streams were. Raises as the service does."""

    @abstractmethod
    async def _is_current(self) -> bool:
        """After a while without news: whether asking again would change nothing."""

    @property
    def store(self) -> Store:
        """Whether what is held is what the store has."""
        return "up" if self._is_answered and self._watch.is_store_up else "away"

    @property
    def is_gone(self) -> bool:
        """Whether its records have expired."""
        return self._is_gone

    async def open(self) -> bool:
        """Ask for the first time; whether it was this call that did. Raises as the service does."""
        async with self._opening:
            if self.is_open:
                return False
            await self._refresh()
            return True

    async def follow(self) -> None:
        """Keep up with what is recorded, until nobody has been interested for a while, or the records are gone."""
        try:
            with self._following:
                await self._follow()
        finally:
            self.is_closed = True
            self.wake()

    def close(self) -> None:
        """Follow no more."""
        self._following.cancel()

    def wake(self) -> None:
        """Have every follower look at what there is."""
        for wake in list(self.followers):
            wake()

    def _patience(self) -> float:
        """How long to wait for news."""
        return self._pace.linger_seconds

    async def _follow(self) -> None:
        last_followed = anyio.current_time()
        while not self._is_gone:
            with anyio.move_on_after(self._patience()) as lingering:
                if not self._is_behind:
                    await self._watch.news(self._positions)
            # What goes away by itself, and what time alone changes, is no news to the log.
            if not lingering.cancelled_caught or not await self._is_current():
                await self._keep_up()
            now = anyio.current_time()
            if self.interested:
                last_followed = now
            elif now - last_followed >= self._pace.linger_seconds:
                return

    async def _keep_up(self) -> None:
        self._is_behind = True
        async with self._turns:  # waiting for a turn is no work, and asks for no rest
            began = anyio.current_time()
            rest = await self._try_to_refresh()
            took = anyio.current_time() - began
        self.wake()
        await anyio.sleep(max(rest, self._pace.interval_seconds, self._pace.rest_factor * took))

    async def _try_to_refresh(self) -> float:
        """Refresh; how many seconds to wait before it makes sense again."""
        try:
            await self._refresh()
        except ExecutionNotFound:
            self._is_gone = True
        except Busy:
            return self._pace.retry_seconds
        except StoreError as error:
            _logger.info("a live view of %r waits for the store: %s", self.subject, error)
            self._is_answered = False
            return self._pace.retry_seconds
        else:
            self._is_behind, self._is_answered = False, True
        return 0.0
