"""A client that speaks HTTP as badly as it is told to, over one connection."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

import anyio
from anyio.abc import SocketStream
from msgspec import Struct

__all__ = ["Ending", "RawClient", "connected"]


class Ending(Struct, frozen=True):
    """How a connection ended."""

    answer: bytes
    """All that came back."""
    seconds: float
    """From the first byte sent until the server had let go."""

    @property
    def statuses(self) -> list[int]:
        """Of the answers, in their order."""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.answer)]


class RawClient:
    """One connection, on which everything is possible."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._answer = b""
        self._let_go = anyio.Event()
        self._began = anyio.current_time()

    async def send(self, pieces: Sequence[bytes], *, pause_seconds: float = 0.0) -> Self:
        """Send piece after piece, with pauses between; stops when nobody takes them any more."""
        for piece in pieces:
            try:
                await self._stream.send(piece)
            except anyio.BrokenResourceError:  # let go: what was said before that can still be read
                break
            if pause_seconds:
                with anyio.move_on_after(pause_seconds):
                    await self._let_go.wait()
            if self._let_go.is_set():
                break
        return self

    async def listen(self) -> None:
        """Take what comes until the server lets go."""
        while not self._let_go.is_set():
            try:
                self._answer += await self._stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self._let_go.set()

    async def ending(self) -> Ending:
        """How it ended, once somebody has listened to the end."""
        await self._let_go.wait()
        return Ending(self._answer, anyio.current_time() - self._began)


@asynccontextmanager
async def connected(url: str, *, listens: bool = True) -> AsyncIterator[RawClient]:
    """A connection to the server at this URL, for as long as the context lasts; it takes what comes, or not yet."""
    host, port = url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        client = RawClient(stream)
        async with anyio.create_task_group() as listening:
            if listens:
                listening.start_soon(client.listen)
            yield client
            listening.cancel_scope.cancel()
