"""A TCP proxy before a real server, with the faults of a network.

It can swallow replies (requests are carried out and never answered), hold them up, fall silent with its connections
open on both sides, and refuse whoever comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream

__all__ = ["CuttingProxy", "cutting_proxy"]


class CuttingProxy:
    """While `cutting`, a reply that comes back from the server is dropped and the connection with it."""

    def __init__(self, host: str, port: int) -> None:
        self.cutting = False
        self.may_cut: Callable[[], bool] = lambda: False
        """Asked for each reply: whether it is dropped."""
        self.cuts = 0
        self.delay_seconds = 0.0
        """How long each reply is held up."""
        self.refusing = False
        """Whether whoever comes is turned away."""
        self.url = ""
        self._speaking = anyio.Event()
        self._speaking.set()
        self._target = (host, port)

    def lead_to(self, host: str, port: int) -> None:
        """From now on connections lead to another server."""
        self._target = (host, port)

    def fall_silent(self) -> None:
        """Let nothing through and close nothing: both sides believe that the other is there."""
        self._speaking = anyio.Event()

    def speak_again(self) -> None:
        """Let all through, also what was held back."""
        self._speaking.set()

    async def handle(self, client: SocketStream) -> None:
        """Serve one connection."""
        async with client:
            if self.refusing:
                return
            try:
                server = await anyio.connect_tcp(*self._target)
            except OSError:  # nobody listens there: whoever came finds its connection closed
                return
            async with server, anyio.create_task_group() as both:
                both.start_soon(self._forward_requests, client, server, both.cancel_scope)
                both.start_soon(self._forward_replies, server, client, both.cancel_scope)

    async def _forward_replies(
        self, server: SocketStream, client: SocketStream, scope: anyio.CancelScope
    ) -> None:
        try:
            async for chunk in server:
                if self.cutting or self.may_cut():
                    self.cuts += 1
                    break
                await anyio.sleep(self.delay_seconds)
                await self._speaking.wait()
                await client.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the server was killed, or whoever asked has gone
        scope.cancel()

    async def _forward_requests(
        self, client: SocketStream, server: SocketStream, scope: anyio.CancelScope
    ) -> None:
        try:
            async for chunk in client:
                await self._speaking.wait()
                await server.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the side that was cut
        scope.cancel()


@asynccontextmanager
async def cutting_proxy(host: str, port: int) -> AsyncIterator[CuttingProxy]:
    """A proxy before the server at this address, listening while the context lasts."""
    proxy = CuttingProxy(host, port)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        proxy.url = f"redis://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/0"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, proxy.handle)
            yield proxy
            tasks.cancel_scope.cancel()
