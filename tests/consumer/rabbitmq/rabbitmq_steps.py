"""What tests of the RabbitMQ broker are told with: an operator, counters to wait for, a proxy that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aio_pika
import anyio
from aio_pika.abc import AbstractChannel
from anyio.abc import SocketAttribute, SocketStream
from consumer.broker_steps import PATIENCE_SECONDS

__all__ = ["FailingProxy", "NotedCounters", "failing_proxy", "operator"]


@asynccontextmanager
async def operator(url: str) -> AsyncIterator[AbstractChannel]:
    """Somebody else at the broker, who can do what relayna never does."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        yield channel


class NotedCounters:
    """Counts, and lets tests wait for a count."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._change = anyio.Event()

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Add to the name alone and to the name with each of its labels."""
        for key in (name, *(f"{name}{{{value}}}" for value in labels.values())):
            self.counted[key] += by
        self._change.set()
        self._change = anyio.Event()

    async def reach(self, name: str, count: int = 1) -> None:
        """Return when it has been counted so often."""
        with anyio.fail_after(3 * PATIENCE_SECONDS):
            while self.counted[name] < count:
                await self._change.wait()


class FailingProxy:
    """A TCP proxy before a real server, whose connections can be dropped or go silent."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 5672)
        self._url = url
        self._scopes: set[anyio.CancelScope] = set()
        self._silent: set[anyio.CancelScope] = set()
        self._unplugged = False
        self.port = 0

    @property
    def url(self) -> str:
        """The server's URL, by way of this proxy."""
        parts = urlsplit(self._url)
        secrets = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{secrets}@127.0.0.1:{self.port}").geturl()

    def drop(self) -> None:
        """Close every connection that there is."""
        for scope in self._scopes:
            scope.cancel()

    def go_silent(self) -> None:
        """Let nothing through on the connections that there are, and close none: both sides go on waiting."""
        self._silent |= self._scopes

    def unplug(self) -> None:
        """Close every connection that there is, and let nobody in until `plug_in`."""
        self._unplugged = True
        self.drop()

    def plug_in(self) -> None:
        """Let connections through again."""
        self._unplugged = False

    async def handle(self, client: SocketStream) -> None:
        """Serve one connection."""
        if self._unplugged:
            await client.aclose()
            return
        async with (
            client,
            await anyio.connect_tcp(*self._target) as server,
            anyio.create_task_group() as both,
        ):
            self._scopes.add(both.cancel_scope)
            both.start_soon(self._forward, client, server, both.cancel_scope)
            both.start_soon(self._forward, server, client, both.cancel_scope)
        self._scopes.discard(both.cancel_scope)

    async def _forward(self, source: SocketStream, target: SocketStream, scope: anyio.CancelScope) -> None:
        try:
            async for chunk in source:
                if scope in self._silent:
                    await anyio.sleep_forever()
                await target.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the side that went away
        scope.cancel()


@asynccontextmanager
async def failing_proxy(url: str, *, port: int = 0) -> AsyncIterator[FailingProxy]:
    """A proxy before the server at this URL, listening while the context lasts."""
    proxy = FailingProxy(url)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    async with listener:
        proxy.port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, proxy.handle)
            yield proxy
            tasks.cancel_scope.cancel()
