"""A live subscription as Server-Sent Events, over HTTP.

Owns how messages are put into frames and handed to a client that may be slow, gone or stuck. What is told, and when, the
subscription knows.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Final, Generic, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import anyio
import msgspec
from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from relayna.api.aliases import HttpNames
from relayna.observability.live import LiveEnd, LiveGap, LiveMessage, LiveStatus
from relayna.observability.live.held_versions import worked_out
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_patch import GraphPatch

__all__ = ["EVENT_STREAM", "EventStream", "Followed", "Frames", "Wording"]

MessageT = TypeVar("MessageT")
ToldT_co = TypeVar("ToldT_co", covariant=True)
SaidT_contra = TypeVar("SaidT_contra", contravariant=True)

EVENT_STREAM: Final = "text/event-stream"

_logger = logging.getLogger("relayna.live")

_PING: Final = b": ping\n\n"
_SECONDS_BETWEEN_PINGS: Final = 15.0
_SECONDS_TO_TAKE_A_PIECE: Final = 30.0
_SECONDS_TO_END: Final = 2.0
_PIECE_BYTES: Final = 32 * 1024
"""Handed over at a time: about what a server keeps for a client that does not read."""


class Followed(Protocol[ToldT_co]):
    """What tells messages one by one, until it is closed."""

    async def next_message(self) -> ToldT_co | None:
        """What to tell now, or as soon as there is something; None when nothing more will come."""

    def due_message(self) -> ToldT_co | None:
        """What is to be told right after the message before, if anything."""

    def close(self) -> None:
        """Nobody asks any more."""


class Wording(Protocol[SaidT_contra]):
    """Puts messages into words."""

    async def of(self, message: SaidT_contra) -> bytes:
        """The message as an event of a stream."""


class Frames:
    """Puts messages into words, each once, however many are told it."""

    def __init__(self, names: HttpNames) -> None:
        self._names = names
        self._made: WeakKeyDictionary[LiveMessage, bytes] = WeakKeyDictionary()
        self._making = anyio.Lock()

    async def of(self, message: LiveMessage) -> bytes:
        """The message as an event of a stream."""
        made = self._made.get(message)
        if made is not None:
            return made
        async with self._making:
            if message not in self._made:
                self._made[message] = await worked_out(message.size, self._frame, message)
            return self._made[message]

    def _frame(self, message: LiveMessage) -> bytes:
        event, data = self._event(message)
        version = b"" if message.version is None else b"id: %b\n" % message.version.encode()
        return b"%bevent: %b\ndata: %b\n\n" % (version, event, data)

    def _event(self, message: LiveMessage) -> tuple[bytes, bytes]:
        match message.body:
            case ExecutionGraph() as graph:
                return b"snapshot", self._names.encode_graph(graph)
            case GraphPatch() as patch:
                return b"patch", self._names.encode_patch(patch)
            case LiveStatus():
                return b"status", msgspec.json.encode(message.body)
            case LiveGap():
                return b"gap", msgspec.json.encode(message.body)
            case LiveEnd():
                return b"end", msgspec.json.encode(message.body)


class EventStream(EventSourceResponse, Generic[MessageT]):
    """Sends what the subscription tells until it ends, the client goes or takes nothing for 30 s, or the server stops."""

    def __init__(self, subscription: Followed[MessageT], frames: Wording[MessageT]) -> None:
        self._subscription = subscription
        self._frames = frames
        super().__init__(
            self._pieces(),
            ping=0,  # theirs could come between the pieces of an event; ours are in `_pieces`
            send_timeout=_SECONDS_TO_TAKE_A_PIECE,
            shutdown_event=cast("anyio.Event", _Shutdown(subscription)),
            shutdown_grace_period=_SECONDS_TO_END,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, and close the subscription."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _logger.info("a client of %s took nothing for a while and was let go", scope["path"])
        finally:
            self._subscription.close()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            message = None
            with anyio.move_on_after(_SECONDS_BETWEEN_PINGS) as waiting:
                message = await self._subscription.next_message()
            if waiting.cancelled_caught:
                yield _PING
            elif message is None:
                return
            else:
                frames = await self._frames_from(message)
                for start in range(0, len(frames), _PIECE_BYTES):
                    yield frames[start : start + _PIECE_BYTES]

    async def _frames_from(self, message: MessageT) -> bytes:
        """This one, and what comes at the same time, up to about a piece."""
        frames = [await self._frames.of(message)]
        size = len(frames[0])
        while size < _PIECE_BYTES and (following := self._subscription.due_message()) is not None:
            frames.append(await self._frames.of(following))
            size += len(frames[-1])
        return frames[0] if len(frames) == 1 else b"".join(frames)


class _Shutdown:
    """What is told that the server stops, in the place of an event: nobody need wait for it."""

    def __init__(self, subscription: Followed[object]) -> None:
        self._subscription = subscription

    def set(self) -> None:
        """The server stops: so does the stream, in good order."""
        self._subscription.close()
