"""What the tests of live sessions stand on: a session that grows step by step, and readers over both transports."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from api.event_streams import EventReader, following
from msgspec import Struct
from observability.live_steps import Teller
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from relayna.streams import Log
from relayna.testing import history

__all__ = ["Growing", "Reader", "SessionEvent", "reading_events", "reading_socket", "socket_url"]


class SessionEvent(Struct, frozen=True):
    """One message of a live session, over whatever it came."""

    event: str
    id: str | None
    data: Any


class Growing:
    """A session told step by step: a run that spawns, children that spawn and fail and try again."""

    def __init__(self, log: Log, root: str) -> None:
        self._teller = Teller(log)
        self._root = root
        self._story = history(root, lifecycle_statuses=False).published()
        self._attempt = self._story.attempt()
        self._children = 0

    async def begins(self) -> None:
        """The root is at work."""
        await self._teller.tell(self._attempt)

    async def grows(self) -> None:
        """One more child, which has a child of its own that fails once and then works."""
        self._children += 1
        name = f"{self._root}-{self._children}"
        child = self._attempt.spawns(name).attempt()
        grandchild = child.spawns(f"{name}-1").attempt()
        await self._teller.tell(self._attempt)
        grandchild.fails("OSError", "no").retried().attempt().acked()
        child.acked()
        await self._teller.tell(self._attempt)


class Reader:
    """Keeps what it was told, as a client would: edges by their key, and the last id."""

    def __init__(self, receive: Callable[[], Any]) -> None:
        self._receive = receive
        self.told: list[SessionEvent] = []
        self.last_id: str | None = None

    async def next(self) -> SessionEvent | None:
        """The next message; None when there is no more."""
        with anyio.fail_after(20):
            message: SessionEvent | None = await self._receive()
        if message is not None:
            self.told.append(message)
            self.last_id = message.id or self.last_id
        return message

    async def edges(self, count: int) -> list[dict[str, Any]]:
        """Go on until so many edges were told; they, in order."""
        while len(self.told_edges) < count:
            assert await self.next() is not None, self.told
        return self.told_edges

    @property
    def told_edges(self) -> list[dict[str, Any]]:
        """All edges so far."""
        return [one.data for one in self.told if one.event == "edge"]


@asynccontextmanager
async def reading_events(
    client: httpx2.AsyncClient, path: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Reader]:
    """Follow by Server-Sent Events while the context lasts; `path` is a session's id, or a query."""
    session, _, query = path.partition("?")
    live = f"{session}/live" if session else "live"
    async with following(client, f"/lineage/sessions/{live}?{query}", headers) as events:
        yield Reader(lambda: _of_events(events))


@asynccontextmanager
async def reading_socket(
    client: httpx2.AsyncClient, path: str, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Reader]:
    """Follow over WebSocket while the context lasts, with the client of the package `websockets`."""
    asked = path if path.startswith("?") else f"/{path}"
    async with connect(
        socket_url(client, f"/ws/lineage/sessions{asked}"), additional_headers=headers
    ) as socket:
        yield Reader(lambda: _of_socket(socket))


def socket_url(client: httpx2.AsyncClient, path: str) -> str:
    """Where the client's server is, for WebSockets."""
    return f"ws://{client.base_url.host}:{client.base_url.port}{path}"


async def _of_events(events: EventReader) -> SessionEvent | None:
    told = await events.next()
    return None if told is None else SessionEvent(told.event, told.id, told.data)


async def _of_socket(socket: ClientConnection) -> SessionEvent | None:
    try:
        return SessionEvent(**json.loads(await socket.recv()))
    except ConnectionClosed:
        return None
