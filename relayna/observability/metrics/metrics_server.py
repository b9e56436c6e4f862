"""Serves a registry on a port of its own, for processes that serve nothing else: `GET /metrics` and no more.

Owns that little HTTP, on asyncio streams: it lives in the worker's own event loop, so it needs no thread, ends with
the worker, and a loop that is blocked shows as a scrape that fails.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import Any, Final

from prometheus_client.core import CollectorRegistry

from relayna.clock import Clock
from relayna.errors import InvalidSetting
from relayna.observability.metrics.exposition import OPEN_METRICS, TEXT, content_type, expose
from relayna.streams.forking import after_fork

__all__ = ["MetricsServer"]

_MOST_HEAD_BYTES: Final = 16 * 1024
_SECONDS_TO_ASK: Final = 5.0
_MOST_AT_ONCE: Final = 16
_SECONDS_BETWEEN_TRIES: Final = 5.0
_logger: Final = logging.getLogger("relayna.metrics")


class MetricsServer:
    """Serves while it is started. Belongs to one event loop."""

    def __init__(self, registry: CollectorRegistry, *, host: str, port: int, clock: Clock) -> None:
        self._registry = registry
        self._host = host
        self._port = port
        self._clock = clock
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._trying: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[Any]] = set()  # Any: asyncio's own tasks
        after_fork(self._let_go)

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens; nothing while another process has the port."""
        if self._listener is None:
            return None
        host, port, *_ = self._listener.getsockname()
        return host, port

    async def start(self) -> None:
        """Listen; when the port is taken, as by a worker that still drains, once it is free.

        Raises `InvalidSetting` for an address that this machine does not have or may not use.
        """
        if not await self._listens():
            _logger.warning(
                "Metrics are not served yet: %s:%d is taken. It is tried again every %g s.",
                self._host,
                self._port,
                _SECONDS_BETWEEN_TRIES,
            )
            self._trying = asyncio.create_task(self._try_again(), name="relayna.metrics")

    async def stop(self) -> None:
        """Listen no more, and cut off whoever still reads."""
        if self._server is not None:
            self._server.close()
        left = [*self._answering, *([self._trying] if self._trying is not None else [])]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        self._server = self._listener = self._trying = None

    async def _try_again(self) -> None:
        await self._clock.sleep(_SECONDS_BETWEEN_TRIES)
        while not await self._listens():
            await self._clock.sleep(_SECONDS_BETWEEN_TRIES)

    async def _listens(self) -> bool:
        try:
            listener = _bound(self._host, self._port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            problem = f"cannot serve metrics on {self._host}:{self._port}: {error.strerror}"
            raise InvalidSetting("metrics_port", "settings", problem) from error
        self._listener = listener
        self._server = await asyncio.start_server(self._answer, sock=listener, limit=_MOST_HEAD_BYTES)
        _logger.info("Metrics are served on http://%s:%d/metrics", *listener.getsockname()[:2])
        return True

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        try:
            async with asyncio.timeout(_SECONDS_TO_ASK):
                writer.write(await self._response(reader))
                await writer.drain()
                writer.write_eof()
                await reader.read(_MOST_HEAD_BYTES)  # closed with bytes unread, the answer may not arrive
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            _logger.debug("Whoever asked for metrics has gone, or asks too slowly or for too much")
        finally:
            writer.close()

    async def _response(self, reader: asyncio.StreamReader) -> bytes:
        if len(self._answering) > _MOST_AT_ONCE:
            return _written("503 Service Unavailable", b"Too many at once.\n")
        head = await reader.readuntil(b"\r\n\r\n")
        request, *fields = head.decode("latin-1").split("\r\n")
        method, _, rest = request.partition(" ")
        if rest.partition(" ")[0].partition("?")[0] != "/metrics":
            return _written("404 Not Found", b"There is only /metrics.\n")
        if method != "GET":
            return _written("405 Method Not Allowed", b"Use GET.\n", more="Allow: GET\r\n")
        wanted = OPEN_METRICS if _accepts_open_metrics(fields) else TEXT
        return _written("200 OK", expose(self._registry, wanted), content_type(wanted))

    def _let_go(self) -> None:
        # A forked child must not keep the parent's port from whoever comes after it.
        if self._listener is not None:
            self._listener.close()


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol named, asyncio does not turn Nagle's algorithm off.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _accepts_open_metrics(fields: list[str]) -> bool:
    """Scrapers that name it prefer it; nobody else does."""
    named = [field.partition(":") for field in fields]
    return any(name.lower() == "accept" and OPEN_METRICS in value.lower() for name, _, value in named)


def _written(status: str, body: bytes, media_type: str = "text/plain", *, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode("latin-1") + body
