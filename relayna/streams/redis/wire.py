"""One connection, from when redis-py has made and greeted it: commands go out as packed, replies come in as read.

Owns the bytes on their way, and how long a silence may last. redis-py connects (TLS, credentials, database); then
its transport is given a protocol of ours, for through redis-py each reply costs a coroutine and a timeout of its
own (docs/decisions/0017-the-read-path.md). Knows no command, and translates no error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol, cast

import hiredis
from redis import exceptions as driver

__all__ = ["Connection", "Refusal", "Wire"]

_MORE_TO_COME: Final = object()


class Connection(Protocol):
    """The part of redis-py's connection that is used here; its own annotations are incomplete.

    The writer is no part of its public API, and has been there under this name since redis-py has one for asyncio.
    """

    _writer: asyncio.StreamWriter

    async def connect(self) -> None: ...

    async def disconnect(self, nowait: bool) -> None: ...


class Refusal(Exception):
    """What the server said in place of a reply, code and all. A value among replies; never raised."""


class Wire(asyncio.Protocol):
    """A connection to a server that has just been greeted: nothing is on its way. One exchange at a time."""

    def __init__(self, connection: Connection, *, silence_seconds: float | None) -> None:
        """`silence_seconds` may pass without any word while a reply is awaited; None for as long as it takes."""
        self._connection = connection
        self._silence_seconds = silence_seconds
        self._loop = asyncio.get_running_loop()
        transport = connection._writer.transport  # noqa: SLF001 - nothing public leads to it
        self._transport = cast("asyncio.Transport", transport)
        self._former = self._transport.get_protocol()
        self._reader = hiredis.Reader(
            protocolError=driver.InvalidResponse, replyError=Refusal, notEnoughData=_MORE_TO_COME
        )
        self._replies: list[object] = []
        self._wanted = 0
        self._answered: asyncio.Future[None] | None = None
        self._heard_at = 0.0
        self._silence: asyncio.TimerHandle | None = None
        """One for many exchanges: it looks when something was heard last, and goes on when it is not long ago."""
        self.is_usable = True
        """Whether another exchange may be tried."""
        self._transport.set_protocol(self)

    async def exchange(self, portions: Iterable[bytes], replies: list[object], *, wanted: int) -> None:
        """Send each portion, and fill `replies` with so many; those that came are in it also when this raises.

        Raises redis-py's `ConnectionError` and `TimeoutError`. Whoever is cancelled here, or sees it raise, must
        `drop` the connection: a reply that is still to come would answer the next command.
        """
        self._replies, self._wanted = replies, wanted
        self._answered = answered = self._loop.create_future()
        if self._silence_seconds is not None:
            self._heard_at = self._loop.time()
            if self._silence is None:
                self._silence = self._loop.call_at(self._heard_at + self._silence_seconds, self._listen)
        try:
            for portion in portions:
                self._transport.write(portion)
            await answered
        except BaseException:
            self.is_usable = False
            raise
        finally:
            self._answered = None

    async def drop(self) -> None:
        """Close it without waiting for anything."""
        self._end()
        await self._connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close it, and return when it is."""
        self._end()
        await self._connection.disconnect(nowait=False)

    def data_received(self, data: bytes) -> None:
        """As asyncio calls it."""
        replies, reader = self._replies, self._reader
        self._heard_at = self._loop.time()
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _MORE_TO_COME:
                replies.append(reply)
        except driver.InvalidResponse as error:
            self._fail(driver.ConnectionError(f"the server does not speak RESP: {error}"))
            return
        if len(replies) > self._wanted or self._answered is None:
            self._fail(driver.ConnectionError("the server said more than it was asked"))
        elif len(replies) == self._wanted and not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio calls it. redis-py waits for this too when it closes."""
        self._fail(driver.ConnectionError(str(exc) if exc else "Connection closed by server."))
        self._former.connection_lost(exc)

    def eof_received(self) -> None:
        """As asyncio calls it, which then closes the connection."""
        self.is_usable = False

    def _listen(self) -> None:
        """Whether it has been silent for too long, if anybody waits for a word."""
        self._silence = None
        if self._answered is None:
            return
        seconds = cast("float", self._silence_seconds)
        until = self._heard_at + seconds
        if self._loop.time() < until:
            self._silence = self._loop.call_at(until, self._listen)
        else:
            self._fail(driver.TimeoutError(f"no word for {seconds:g} s"))

    def _end(self) -> None:
        self.is_usable = False
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _fail(self, error: Exception) -> None:
        self.is_usable = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
