"""A live view: one question about one execution, asked again whenever something was recorded, for all who follow it.

Owns when it is asked again, and what all followers have in common. What each of them was told is in
`subscription.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Final, Literal

import anyio
from msgspec import Struct

from relayna.errors import ExecutionNotFound, StoreError
from relayna.ids import StreamId
from relayna.observability.admission import Busy
from relayna.observability.graph_question import GraphQuestion
from relayna.observability.graph_service import ExecutionGraphService, VersionedGraph
from relayna.observability.live.finished import is_finished
from relayna.observability.live.held_versions import HeldVersions
from relayna.observability.live.messages import Store
from relayna.observability.live.stream_watch import StreamWatch
from relayna.streams import TaskAddress
from relayna.streams.log import START

__all__ = ["LiveView", "Pace", "asked"]

_logger = logging.getLogger("relayna.live")

_STREAMS_WATCHED: Final = 1_024
"""Of one graph. Those of further children are not waited for; their parent is told when they end."""


class Pace(Struct, frozen=True, kw_only=True):
    """How often a view is refreshed, and how long it outlives its last follower."""

    interval_seconds: float = 0.03
    """At least so long from one refresh to the next."""
    rest_factor: float = 1.0
    """After a refresh, at least so many times as long as it took."""
    linger_seconds: float = 30.0
    retry_seconds: float = 1.0
    """After a refresh that was not answered."""


async def asked(
    service: ExecutionGraphService, question: GraphQuestion, *, as_of: str | None = None
) -> VersionedGraph:
    """What the service answers. Raises as it does."""
    return await service.get_versioned(
        question.task_id,
        as_of=as_of,
        depth=question.depth,
        max_nodes=question.max_nodes,
        view=question.view,
        collapse=question.collapse,
    )


class LiveView:
    """`open` it, then let `follow` run. All of its followers are of one event loop."""

    def __init__(
        self,
        service: ExecutionGraphService,
        question: GraphQuestion,
        watch: StreamWatch,
        turns: anyio.Semaphore,
        *,
        pace: Pace,
        versions: int,
        terminal_statuses: Collection[str],
    ) -> None:
        """All views share `watch`, and the `turns` in which they are refreshed."""
        self.service = service
        self.question = question
        self.versions = HeldVersions(most=versions)
        self.followers: set[Callable[[], None]] = set()
        """How to wake each of them."""
        self.interested = 0
        """Followers, and those who are about to be."""
        self.is_closed = False
        self._watch = watch
        self._turns = turns
        self._pace = pace
        self._terminal_statuses = terminal_statuses
        self._opening = anyio.Lock()
        self._following = anyio.CancelScope()
        self._is_behind = False
        self._is_answered = True
        self._is_gone = False
        self._is_finished = False
        self._positions: dict[TaskAddress, StreamId] = {}

    @property
    def is_open(self) -> bool:
        """Whether there is a version."""
        return self.versions.latest is not None

    @property
    def nodes(self) -> int:
        """How many the latest version has."""
        return len(self.versions.graph.nodes) if self.is_open else 0

    @property
    def store(self) -> Store:
        """Whether what is held is what the store has."""
        return "up" if self._is_answered and self._watch.is_store_up else "away"

    @property
    def over(self) -> Literal["finished", "gone"] | None:
        """Why nothing more is to be expected after the latest version, if so."""
        return "gone" if self._is_gone else "finished" if self._is_finished else None

    @property
    def status(self) -> str | None:
        """The latest status of the root task."""
        return self.versions.graph.summary.status

    async def open(self) -> bool:
        """Ask for the first version; whether it was this call that did. Raises as the service does."""
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

    async def _follow(self) -> None:
        last_followed = anyio.current_time()
        while not self._is_gone:
            with anyio.move_on_after(self._pace.linger_seconds) as lingering:
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

    async def _is_current(self) -> bool:
        question = self.question
        try:
            return await self.service.is_current(
                self.versions.latest or "", question.task_id, depth=question.depth,
                max_nodes=question.max_nodes, view=question.view, collapse=question.collapse,
            )  # fmt: skip
        except StoreError:
            return True  # nobody knows; when the store is back, that is news

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
            _logger.info("a live view of %r waits for the store: %s", self.question.task_id, error)
            self._is_answered = False
            return self._pace.retry_seconds
        else:
            self._is_behind, self._is_answered = False, True
        return 0.0

    async def _refresh(self) -> None:
        answer = await asked(self.service, self.question)
        if answer.version != self.versions.latest:
            await self.versions.add(answer.version, answer.graph)
            self._is_finished = is_finished(answer.graph, self._terminal_statuses)
        self._positions = {
            address: position or START for address, position in answer.streams[:_STREAMS_WATCHED]
        }
