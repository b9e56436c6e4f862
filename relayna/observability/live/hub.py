"""The live hub: all who follow executions in this process, and the one watch that they share.

Owns how many there may be, which of them ask the same, and that everything it started ends with it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeAlias

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct, field

from relayna.errors import LogNotOpen, RelaynaError
from relayna.observability.graph_question import GraphQuestion
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.live.as_it_was import graph_as_it_was
from relayna.observability.live.stream_watch import StreamWatch
from relayna.observability.live.subscription import Known, Subscription
from relayna.observability.live.view import LiveView, Pace
from relayna.signals import Counters, measures_of
from relayna.streams import Log

__all__ = ["LiveHub", "LiveLimits", "TooManyFollowers"]

_logger = logging.getLogger("relayna.live")

_RETRY_AFTER_SECONDS: Final = 30
_REFRESHED_AT_ONCE: Final = 8

_Key: TypeAlias = tuple[int, GraphQuestion]


class TooManyFollowers(RelaynaError):
    """As many follow as may; `retry_after_seconds` says when to ask again."""

    def __init__(self, most: int, of: str) -> None:
        self.retry_after_seconds = _RETRY_AFTER_SECONDS
        super().__init__(
            f"There are {most} {of} already, as many as there may be. Ask again in {_RETRY_AFTER_SECONDS} s."
        )


class LiveLimits(Struct, frozen=True, kw_only=True):
    """How much a hub takes on."""

    most_followers: int = 700
    """Well below the connections that a server takes, so that others are still answered."""
    most_followers_a_service: int = 600
    """Of one tenant."""
    most_views: int = 500
    most_nodes: int = 200_000
    """Of all views together."""
    versions: int = 16
    """Held of each view, at least 1; whoever is further behind gets a snapshot."""
    pace: Pace = field(default_factory=Pace)


class LiveHub:
    """Open it with its log (`async with hub`); services and their log are open as long.

    `terminal_statuses` are those that end a task here, beside the usual ones. Reports the gauge
    `relayna_sse_clients`.
    """

    def __init__(
        self,
        log: Log,
        *,
        limits: LiveLimits | None = None,
        terminal_statuses: Collection[str] = (),
        counters: Counters | None = None,
    ) -> None:
        self._limits = limits or LiveLimits()
        self._terminal_statuses = frozenset(terminal_statuses)
        self._watch = StreamWatch(log, on_change=self._wake_all)
        self._turns = anyio.Semaphore(_REFRESHED_AT_ONCE)
        self._views: dict[_Key, LiveView] = {}
        self._followers = 0
        self._followers_of: Counter[int] = Counter()
        self._tasks: TaskGroup | None = None
        self._entered: AsyncExitStack | None = None
        self._measures = measures_of(counters)
        self._measures.watch("relayna_sse_clients", self._count_followers)

    async def subscribe(
        self, service: ExecutionGraphService, question: GraphQuestion, *, after: str | None = None
    ) -> Subscription:
        """Follow what the service answers to this question, on from the version `after` when that is known.

        Raises as the service does when nobody follows it yet, `TooManyFollowers`, and `LogNotOpen` when the
        hub is not open. Close the subscription.
        """
        self._open_tasks()
        key = (id(service), question)
        if self._followers >= self._limits.most_followers:
            raise TooManyFollowers(self._limits.most_followers, "followers")
        if self._followers_of[key[0]] >= self._limits.most_followers_a_service:
            raise TooManyFollowers(self._limits.most_followers_a_service, "followers of one tenant")
        view = self._views.get(key) or self._new_view(key, service)
        view.interested += 1
        self._followers += 1
        self._followers_of[key[0]] += 1
        try:
            if await view.open():
                self._open_tasks().start_soon(self._follow, key, view)
            return Subscription(view, await _known(view, after), on_close=partial(self._leave, key, view))
        except BaseException:
            self._leave(key, view)
            raise

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        async with AsyncExitStack() as entering:
            self._tasks = await entering.enter_async_context(anyio.create_task_group())
            self._tasks.start_soon(self._watch.run)
            self._entered = entering.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all subscriptions: whoever asks for a message gets None."""
        tasks, self._tasks = self._tasks, None
        entered, self._entered = self._entered, None
        if tasks is not None and entered is not None:
            tasks.cancel_scope.cancel()
            await entered.__aexit__(kind, error, traceback)

    def _open_tasks(self) -> TaskGroup:
        if self._tasks is None:
            raise LogNotOpen("live", "the live hub is not open; enter it first (async with hub)")
        return self._tasks

    def _new_view(self, key: _Key, service: ExecutionGraphService) -> LiveView:
        while self._is_full():
            self._make_room()
        view = self._views[key] = LiveView(
            service,
            key[1],
            self._watch,
            self._turns,
            pace=self._limits.pace,
            versions=self._limits.versions,
            terminal_statuses=self._terminal_statuses,
        )
        return view

    def _is_full(self) -> bool:
        nodes = sum(view.nodes for view in self._views.values())
        return len(self._views) >= self._limits.most_views or nodes >= self._limits.most_nodes

    def _make_room(self) -> None:
        """Let a view go that nobody follows any more."""
        for key, view in self._views.items():
            if not view.interested:
                view.close()
                del self._views[key]
                return
        raise TooManyFollowers(self._limits.most_views, "executions that are followed")

    async def _follow(self, key: _Key, view: LiveView) -> None:
        try:
            await view.follow()
        except Exception:  # one graph that cannot be made must not end the others
            self._measures.increment("relayna_live_views_failed_total")
            _logger.exception("the live view of %r has failed; its followers come again", key[1].task_id)
        finally:
            self._forget(key, view)

    def _leave(self, key: _Key, view: LiveView) -> None:
        view.interested -= 1
        self._followers -= 1
        self._followers_of[key[0]] -= 1
        if not self._followers_of[key[0]]:
            del self._followers_of[key[0]]
        if not view.is_open and not view.interested:
            self._forget(key, view)

    def _forget(self, key: _Key, view: LiveView) -> None:
        if self._views.get(key) is view:
            del self._views[key]

    def _wake_all(self) -> None:
        for view in self._views.values():
            view.wake()

    def _count_followers(self) -> float:
        return self._followers


async def _known(view: LiveView, after: str | None) -> Known | None:
    latest = view.versions.latest
    if after is None or latest is None:
        return None
    graph = view.versions.graph_of(after)
    if graph is None:
        graph = await graph_as_it_was(view.service, view.question, after, latest=latest)
    return Known(after, graph)
