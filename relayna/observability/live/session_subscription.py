"""One who follows a session live: up to where they were told its edges, and what they are to be told next.

Owns the order of messages. Remembers a place and no queue, so that whoever is slow costs no more than others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio

from relayna.observability.live.messages import Store
from relayna.observability.live.session_edges import NO_EDGES
from relayna.observability.live.session_messages import (
    SessionEnd,
    SessionGap,
    SessionMessage,
    SessionStatus,
)
from relayna.observability.live.session_view import SessionView

__all__ = ["SessionSubscription"]


class SessionSubscription:
    """Ask for messages one by one; close it when nobody will ask any more."""

    def __init__(self, view: SessionView, after: str | None, *, on_close: Callable[[], None]) -> None:
        self._view = view
        self._on_close = on_close
        self._due: deque[SessionMessage] = deque()
        """What only this follower is told."""
        self._told = 0
        self._store: Store = "up"
        self._is_over = False
        self._is_closed = False
        self._stir = anyio.Event()
        if after is not None:
            self._go_on(after)
        view.followers.add(self._wake)

    async def next_message(self) -> SessionMessage | None:
        """What to tell now, or as soon as there is something; None when nothing more will come.

        May be cancelled and asked again.
        """
        while not self._is_closed:
            stir = self._stir
            message = self.due_message()
            if message is not None:
                return message
            if self._is_over or self._view.is_closed:
                return None
            await stir.wait()
        return None

    def due_message(self) -> SessionMessage | None:
        """What is to be told at once, if anything."""
        view = self._view
        if self._is_closed or self._is_over:
            return None
        if self._due:
            return self._due.popleft()
        if self._told < len(view.edges.messages):
            self._told += 1
            return view.edges.messages[self._told - 1]
        if self._store != view.store:
            self._store = view.store
            return SessionMessage(SessionStatus(view.store))
        if view.is_gone:
            self._is_over = True
            return SessionMessage(SessionEnd())
        return None

    def close(self) -> None:
        """Nobody asks any more; who is just asking gets None."""
        if self._is_closed:
            return
        self._is_closed = True
        self._view.followers.discard(self._wake)
        self._wake()
        self._on_close()

    def _go_on(self, after: str) -> None:
        found = self._view.edges.since(after)
        if found is None:
            # With an id: who goes now and comes back with an older one would be told the rest of what it forgot.
            self._due.append(SessionMessage(SessionGap(), NO_EDGES))
            return
        own, self._told = found
        self._due += own

    def _wake(self) -> None:
        self._stir.set()
        self._stir = anyio.Event()
