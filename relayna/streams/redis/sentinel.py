"""A store that is the master of a service which sentinels watch.

Owns finding the master and noticing that it may be another by now. The requests themselves go as to any
single server. Each connection made asks its server whether it is the master (`greeting.py`), so one that
became a replica is not read from either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio

from relayna.errors import StoreError, StoreRefused, StoreUnreachable
from relayna.store_url import Endpoint
from relayna.streams.outcomes import Trouble, ruling
from relayna.streams.redis.client import ConnectionSettings, Reply, StoreClient
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.greeting import check_part
from relayna.streams.redis.identity import identity_of
from relayna.streams.redis.pace import Pace
from relayna.streams.redis.requests import Request
from relayna.streams.redis.single import carried

__all__ = ["SentinelStore"]


class SentinelStore:
    """A `Store` on whichever server is the master."""

    def __init__(
        self,
        settings: ConnectionSettings,
        sentinels: Sequence[ConnectionSettings],
        service: str,
        *,
        url: str,
        connections: int,
    ) -> None:
        """Connects to nothing yet. The host and port in `settings` are exchanged for the master's."""
        self.url = url
        self._settings = settings
        self._sentinels = list(sentinels)
        self._service = service
        self._connections = connections
        self._place: Endpoint | None = None
        self._client: StoreClient | None = None
        self._doubted = True
        self._problem: StoreError = StoreUnreachable(url, "no sentinel has been asked yet")
        self._pace = Pace()
        self._finding = anyio.Lock()

    async def open(self) -> None:
        """Ask the sentinels for the master. Raises `StoreUnreachable` or `StoreRefused`."""
        if await self._find() is None:
            raise self._problem

    async def exchange(self, requests: Sequence[Request]) -> list[Reply]:
        """All in one round trip to the master."""
        client = await self._master()
        if client is None:
            return [Failed(self._problem)] * len(requests)
        replies = await carried(client, requests)
        self._doubted = self._doubted or any(map(_is_doubtful, replies))
        return replies

    async def identities(self, keys: Sequence[str]) -> list[str | None]:
        """The master's own, for each key."""
        client = await self._master()
        return [None if client is None else await identity_of(client)] * len(keys)

    async def ping(self) -> None:
        """Return when the master answers. Raises `StoreUnreachable` or `StoreRefused`."""
        (reply,) = await self.exchange([Request((("PING",),))])
        if isinstance(reply, Failed):
            raise reply.error

    async def servers(self) -> Mapping[str, StoreClient]:
        """The master. Raises `StoreUnreachable` or `StoreRefused`."""
        client = await self._master()
        if client is None:
            raise self._problem
        return {client.url: client}

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client, self._place = self._client, None, None
        if client is not None:
            await client.aclose()

    async def _master(self) -> StoreClient | None:
        if self._doubted:
            await self._find_in_turn()
        return self._client

    async def _find_in_turn(self) -> None:
        async with self._finding:
            if self._doubted and self._pace.take_turn():
                await self._find()

    async def _find(self) -> StoreClient | None:
        """Go to whom the first sentinel names that names a real master; else stay, with the problem noted."""
        for sentinel in list(self._sentinels):
            try:
                place = await self._named_by(sentinel)
                client = await self._verified(place)
            except StoreError as error:
                self._problem = StoreUnreachable(self.url, f"{sentinel.url}: {error}")
                continue
            former = self._client
            self._client, self._place = client, place
            if former is not None and former is not client:
                await former.retire()
            self._sentinels.remove(sentinel)
            self._sentinels.insert(0, sentinel)
            self._doubted = False
            return client
        return None

    async def _named_by(self, sentinel: ConnectionSettings) -> Endpoint:
        client = StoreClient(sentinel, connections=1, part=None)
        try:
            answer = await client.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        finally:
            await client.retire()
        match answer:
            case [bytes() as host, bytes() as port] if port.isdigit():
                return Endpoint(host.decode(), int(port))
            case _:
                raise StoreRefused("SENTINEL", f"it knows of no service {self._service!r}")

    async def _verified(self, place: Endpoint) -> StoreClient:
        """A client of the master there. Raises `StoreError` when there is none."""
        client = self._client if place == self._place else None
        if client is None:
            client = StoreClient(self._settings.at(place), connections=self._connections, part="master")
        try:
            check_part(await client.ask("HELLO"), "master")  # a connection kept may be of another time
        except StoreError:
            if client is not self._client:
                await client.retire()
            raise
        return client


def _is_doubtful(reply: Reply) -> bool:
    return isinstance(reply, Failed) and ruling(reply.error).trouble is Trouble.STORE
