"""Asking an HTTP API: at the ASGI boundary, and over TCP beside. Owns both clients, which do as little as they can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import uvicorn
from msgspec import Struct

__all__ = ["Answer", "asked", "over_tcp"]

_HOST = "127.0.0.1"


class Answer(Struct, frozen=True):
    """What came back, without the body, which nobody kept."""

    status: int
    headers: dict[bytes, bytes]
    size: int


async def asked(app: Any, path: str, *, query: str = "", etag: bytes | None = None) -> Answer:  # Any: ASGI
    """A GET, as a server hands it to the app."""
    headers = [(b"host", b"127.0.0.1:8000"), (b"accept", b"application/json")]
    if etag is not None:
        headers.append((b"if-none-match", etag))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": headers, "client": (_HOST, 1), "server": (_HOST, 8000), "state": {},
    }  # fmt: skip
    started: dict[str, Any] = {}
    size = 0

    async def receive() -> dict[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            started.update(message)
        elif message["type"] == "http.response.body":
            size += len(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(started["status"], dict(started["headers"]), size)


class TcpClient:
    """One kept connection to a server in this process: its time is in what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, path: str) -> bytes:
        """The bytes of the body, which comes with its length or in chunks."""
        self._writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {_HOST}\r\nAccept: application/json\r\n\r\n".encode()
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in head:
            return b"".join([part async for part in self._chunks()])
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return await self._reader.readexactly(int(length))

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self._reader.readline(), 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)


@asynccontextmanager
async def over_tcp(app: Any) -> AsyncIterator[TcpClient]:  # Any: an ASGI app
    """A client of the app behind uvicorn, on loopback."""
    config = uvicorn.Config(app, host=_HOST, port=0, log_level="error", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection(_HOST, port)
    try:
        yield TcpClient(reader, writer)
    finally:
        writer.close()
        server.should_exit = True
        await serving
