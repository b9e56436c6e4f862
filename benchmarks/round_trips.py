"""Counts round trips where they happen: on the wire, between a client and its store.

Owns the relay. A round trip begins whenever the client speaks after the store has; whatever travels together counts
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

__all__ = ["RoundTrips", "counted_store"]

_READ_BYTES = 1 << 20


class RoundTrips:
    """How many there were, over all connections."""

    def __init__(self, url: str) -> None:
        self.url = url
        """Where the relay listens."""
        self.count = 0


@asynccontextmanager
async def counted_store(store_url: str) -> AsyncIterator[RoundTrips]:
    """A relay in front of the store of this URL."""
    place = urlsplit(store_url)
    trips = RoundTrips("")

    relays: list[asyncio.Task[None] | None] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relays.append(asyncio.current_task())
        store_reader, store_writer = await asyncio.open_connection(place.hostname, place.port)
        asks = False

        async def there() -> None:
            nonlocal asks
            while data := await reader.read(_READ_BYTES):
                trips.count += not asks
                asks = True
                store_writer.write(data)
            store_writer.close()

        async def back() -> None:
            nonlocal asks
            while data := await store_reader.read(_READ_BYTES):
                asks = False
                writer.write(data)
            writer.close()

        await asyncio.gather(there(), back())

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    trips.url = f"redis://127.0.0.1:{port}/0"
    async with server:
        yield trips
        await asyncio.wait([one for one in relays if one is not None])
