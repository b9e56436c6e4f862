"""What the tests of the HTTP API stand on: a real server on a free loopback port, and raw requests to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import anyio
import httpx2
import uvicorn
from starlette.types import ASGIApp

from relayna.api import RelaynaRuntime, create_app
from relayna.events import ChildRegistered, Envelope, Event, encode_event, encode_frame
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.observability import StatusStore
from relayna.streams import Append, Log, TaskAddress

__all__ = ["Answer", "Serve", "app_on", "client_of", "path_of", "raw_get", "record", "serving", "task"]

Serve: TypeAlias = Callable[[ASGIApp], Awaitable[httpx2.AsyncClient]]
"""Serves an app until the test ends and gives a client of it: what the fixture `serve` is."""


class _Server(uvicorn.Server):
    """uvicorn that leaves the process's signals alone, says when it listens and ends as soon as it is told."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        options = {"ws": "websockets-sansio", **options}
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, **options))
        self.listens = anyio.Event()
        self.told_to_end = anyio.Event()

    @property
    def url(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.listens.set()

    async def main_loop(self) -> None:
        await self.told_to_end.wait()


@asynccontextmanager
async def serving(app: ASGIApp, **options: Any) -> AsyncIterator[str]:
    """Serve the app while the context lasts, with more of uvicorn's options; gives the server's URL."""
    server = _Server(app, **options)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        await server.listens.wait()
        yield server.url
        server.told_to_end.set()


@asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the app, which is served while the context lasts."""
    async with serving(app) as url, httpx2.AsyncClient(base_url=url) as client:
        yield client


class Answer(NamedTuple):
    """A status, and a body's bytes."""

    status: int
    body: bytes


async def raw_get(client: httpx2.AsyncClient, target: str) -> Answer:
    """GET with exactly this target: clients tidy paths up before they send them."""
    host, port = client.base_url.host, client.base_url.port or 0
    async with await anyio.connect_tcp(host, port) as stream:
        await stream.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join([chunk async for chunk in stream])
    head, _, body = answer.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), body)


def path_of(task_id: str) -> str:
    """The path of a task's graph, everything in its id percent-encoded."""
    return f"/executions/{quote(task_id, safe='')}/graph"


def app_on(log: Log) -> ASGIApp:
    """The app of `relayna serve` over this log."""
    return create_app(RelaynaRuntime(log=log))


def task(task_id: str) -> TaskAddress:
    """Where the task's stream is."""
    return TaskAddress(TaskId(task_id))


async def record(log: Log, task_id: str, *statuses: str, children: Sequence[str] = ()) -> None:
    """Give the task these statuses, a second apart, and have it know of these children."""
    for number, status in enumerate(statuses):
        timestamp = f"2026-01-01T00:00:0{number}Z"
        await StatusStore(log).add_status(
            task_id, status, timestamp=timestamp, message_id=f"{task_id}-{number}"
        )
    events = [encode_event(_registration(task_id, child)) for child in children]
    if events:
        async with log:
            await log.append([Append(task(task_id), encode_frame(TaskId(task_id), None, 0, events))])


def _registration(task_id: str, child: str) -> Event:
    envelope = Envelope(event_id=EventId(f"child.{child}"), timestamp=Instant(0), task_id=TaskId(task_id))
    return Event(envelope=envelope, body=ChildRegistered(child_task_id=TaskId(child)))
