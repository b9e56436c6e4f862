"""A store as the log sees it: one server, or several that act as one. Owns the protocols only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from relayna.streams.redis.client import Reply, StoreClient
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.requests import Request

__all__ = ["Exchange", "Store", "asked"]


class Exchange(Protocol):
    """Where requests are answered."""

    async def exchange(self, requests: Sequence[Request]) -> list[Reply]:
        """A reply to each request, in order. Never raises for a store that fails: that is in the replies.

        The requests may be carried out in any order, and at the same time.
        """


class Store(Exchange, Protocol):
    """Carries requests to whoever can answer them. Never sends one twice that may have been carried out."""

    @property
    def url(self) -> str:
        """Where it is, credentials masked."""

    async def open(self) -> None:
        """Find out who there is to ask. Raises `StoreUnreachable` or `StoreRefused`."""

    async def identities(self, keys: Sequence[str]) -> list[str | None]:
        """For each key, the name of the data set that it is in; None where nobody says. Does not raise."""

    async def ping(self) -> None:
        """Return when every server answers that requests may need. Raises `StoreUnreachable` or `StoreRefused`."""

    async def servers(self) -> Mapping[str, StoreClient]:
        """Every server that has keys, by its name, for what is asked of a server and not of its keys.

        Raises `StoreUnreachable` or `StoreRefused`. The clients stay the store's.
        """

    async def aclose(self) -> None:
        """Close the connections."""


async def asked(store: Exchange, key: str | None, *command: bytes | str | int) -> Reply:
    """The reply to one command. Raises `StoreUnreachable` or `StoreRefused`."""
    (reply,) = await store.exchange([Request((command,), key)])
    if isinstance(reply, Failed):
        raise reply.error
    return reply
