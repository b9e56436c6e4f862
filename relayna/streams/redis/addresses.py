"""From what the user gave, a URL or a client, to a store of our own.

Owns which kind of store it is, and with which settings its connections are made. Connects to nothing.
"""

from __future__ import annotations

from typing import Self, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis, RedisCluster

from relayna.errors import InvalidSetting
from relayna.store_url import Endpoint, StoreUrl, parse_store_url
from relayna.streams.redis.client import ConnectionSettings
from relayna.streams.redis.cluster_client import ClusterStore
from relayna.streams.redis.confirmation import Confirmation
from relayna.streams.redis.sentinel import SentinelStore
from relayna.streams.redis.single import SingleStore
from relayna.streams.redis.store import Store

__all__ = ["Address", "ClusterAddress", "RedisSource", "SentinelAddress", "SingleAddress", "address_of"]

RedisSource: TypeAlias = "str | Redis | RedisCluster"
"""A URL (`relayna.store_url`), or a client, which lends its connection settings only."""


class SingleAddress(Struct, frozen=True):
    """One server."""

    settings: ConnectionSettings

    @property
    def url(self) -> str:
        """Credentials masked."""
        return self.settings.url

    def confirming(self, confirmation: Confirmation | None) -> Self:
        """The same place, where appends count when they are confirmed."""
        return replace(self, settings=replace(self.settings, confirmation=confirmation))

    def store(self, *, connections: int) -> Store:
        """A store there, with at most so many connections."""
        return SingleStore(self.settings, connections=connections)


class ClusterAddress(Struct, frozen=True):
    """A cluster, of which some nodes are known."""

    settings: ConnectionSettings
    seeds: tuple[Endpoint, ...]
    url: str

    def confirming(self, confirmation: Confirmation | None) -> Self:
        """The same place, where appends count when they are confirmed."""
        return replace(self, settings=replace(self.settings, confirmation=confirmation))

    def store(self, *, connections: int) -> Store:
        """A store there, with at most so many connections to each node."""
        return ClusterStore(self.settings, self.seeds, url=self.url, connections=connections)


class SentinelAddress(Struct, frozen=True):
    """The master of a service, and the sentinels that know it."""

    settings: ConnectionSettings
    sentinels: tuple[ConnectionSettings, ...]
    service: str
    url: str

    def confirming(self, confirmation: Confirmation | None) -> Self:
        """The same place, where appends count when they are confirmed."""
        return replace(self, settings=replace(self.settings, confirmation=confirmation))

    def store(self, *, connections: int) -> Store:
        """A store there, with at most so many connections to the master."""
        return SentinelStore(
            self.settings, self.sentinels, self.service, url=self.url, connections=connections
        )


Address: TypeAlias = "SingleAddress | ClusterAddress | SentinelAddress"


def address_of(source: object) -> Address:
    """Where a `RedisSource` leads. Raises `InvalidSetting`."""
    if isinstance(source, RedisCluster):
        return _of_cluster_client(source)
    if isinstance(source, Redis):
        return SingleAddress(ConnectionSettings.of(source))
    if not isinstance(source, str):
        kind = type(source).__name__
        raise InvalidSetting(
            "redis_url",
            "argument",
            f"a {kind} is neither a URL nor a redis.asyncio.Redis or redis.asyncio.RedisCluster",
        )
    said = parse_store_url(source)
    settings = ConnectionSettings.of(said.plain)
    if said.kind == "cluster":
        return ClusterAddress(settings, said.endpoints, said.shown)
    if said.kind == "sentinel":
        return SentinelAddress(settings, _sentinels(said, settings), said.service, said.shown)
    return SingleAddress(settings)


def _of_cluster_client(client: RedisCluster) -> ClusterAddress:
    lenders = list(client.nodes_manager.startup_nodes.values())
    nodes = [Endpoint(str(node.host), int(node.port)) for node in lenders]
    lender = lenders[0]
    settings = ConnectionSettings.lent(lender.connection_class, lender.connection_kwargs)
    scheme, _, rest = settings.url.partition("://")
    credentials = "***@" if "@" in rest else ""
    return ClusterAddress(
        settings, tuple(nodes), f"{scheme}+cluster://{credentials}{','.join(map(str, nodes))}"
    )


def _sentinels(said: StoreUrl, settings: ConnectionSettings) -> tuple[ConnectionSettings, ...]:
    # Sentinels have users of their own, and no databases.
    own = {"username": None, "password": None, "db": 0, **said.sentinel_options}
    return tuple(settings.at(endpoint, **own) for endpoint in said.endpoints)
