"""The live hub: all who follow executions and sessions in this process, and the one watch that they share.

Owns which of them ask the same, and that everything it started ends with it. How many there may be is in `limits.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

import anyio
from anyio.abc import TaskGroup

from relayna.errors import LogNotOpen
from relayna.observability.graph_question import GraphQuestion
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.lineage_service import LineageService
from relayna.observability.live.as_it_was import graph_as_it_was
from relayna.observability.live.followed import FollowedView
from relayna.observability.live.limits import FollowerCount, LiveLimits, TooManyFollowers
from relayna.observability.live.session_subscription import SessionSubscription
from relayna.observability.live.session_view import SessionView
from relayna.observability.live.stream_watch import StreamWatch
from relayna.observability.live.subscription import Known, Subscription
from relayna.observability.live.view import LiveView
from relayna.signals import Counters, measures_of
from relayna.streams import Log

__all__ = ["LiveHub"]

_logger = logging.getLogger("relayna.live")

_REFRESHED_AT_ONCE: Final = 8

_Key: TypeAlias = tuple[int, GraphQuestion | str]
"""A service, and what it is asked: a graph, or a session by its id."""

ViewT = TypeVar("ViewT", bound=FollowedView)


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
        self._log = log
        self._limits = limits or LiveLimits()
        self._terminal_statuses = frozenset(terminal_statuses)
        self._watch = StreamWatch(log, on_change=self._wake_all)
        self._turns = anyio.Semaphore(_REFRESHED_AT_ONCE)
        self._views: dict[_Key, FollowedView] = {}
        self._followers = FollowerCount(self._limits)
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
        key = (id(service), question)
        view = await self._entered_view(key, LiveView, partial(self._new_graph, service, question))
        try:
            return Subscription(view, await _known(view, after), on_close=partial(self._leave, key, view))
        except BaseException:
            self._leave(key, view)
            raise

    async def subscribe_to_session(
        self, service: LineageService, session_id: str, *, after: str | None = None
    ) -> SessionSubscription:
        """Follow the edges of a session, on from those that the id `after` stands for. Raises as `subscribe` does.

        The service reads this hub's log. Close the subscription.
        """
        key = (id(service), session_id)
        view = await self._entered_view(key, SessionView, partial(self._new_session, service, session_id))
        return SessionSubscription(view, after, on_close=partial(self._leave, key, view))

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

    async def _entered_view(self, key: _Key, kind: type[ViewT], make: Callable[[], ViewT]) -> ViewT:
        """The view of this key, opened, with one more who is interested in it."""
        self._open_tasks()
        self._followers.check(key[0])
        view = self._views.get(key)
        if not isinstance(view, kind):
            while self._is_full():
                self._make_room()
            view = make()
            self._views[key] = view
        view.interested += 1
        self._followers.come(key[0])
        try:
            if await view.open():
                self._open_tasks().start_soon(self._follow, key, view)
        except BaseException:
            self._leave(key, view)
            raise
        return view

    def _new_graph(self, service: ExecutionGraphService, question: GraphQuestion) -> LiveView:
        return LiveView(
            service,
            question,
            self._watch,
            self._turns,
            pace=self._limits.pace,
            versions=self._limits.versions,
            terminal_statuses=self._terminal_statuses,
        )

    def _new_session(self, service: LineageService, session_id: str) -> SessionView:
        return SessionView(service, session_id, self._log, self._watch, self._turns, pace=self._limits.pace)

    def _is_full(self) -> bool:
        size = sum(view.size for view in self._views.values())
        return len(self._views) >= self._limits.most_views or size >= self._limits.most_nodes

    def _make_room(self) -> None:
        """Let a view go that nobody follows any more."""
        for key, view in self._views.items():
            if not view.interested:
                view.close()
                del self._views[key]
                return
        raise TooManyFollowers(self._limits.most_views, "executions and sessions that are followed")

    async def _follow(self, key: _Key, view: FollowedView) -> None:
        try:
            await view.follow()
        except Exception:  # one graph that cannot be made must not end the others
            self._measures.increment("relayna_live_views_failed_total")
            _logger.exception("the live view of %r has failed; its followers come again", view.subject)
        finally:
            self._forget(key, view)

    def _leave(self, key: _Key, view: FollowedView) -> None:
        view.interested -= 1
        self._followers.go(key[0])
        if not view.is_open and not view.interested:
            self._forget(key, view)

    def _forget(self, key: _Key, view: FollowedView) -> None:
        if self._views.get(key) is view:
            del self._views[key]

    def _wake_all(self) -> None:
        for view in self._views.values():
            view.wake()

    def _count_followers(self) -> float:
        return self._followers.all


async def _known(view: LiveView, after: str | None) -> Known | None:
    latest = view.versions.latest
    if after is None or latest is None:
        return None
    graph = view.versions.graph_of(after)
    if graph is None:
        graph = await graph_as_it_was(view.service, view.question, after, latest=latest)
    return Known(after, graph)
