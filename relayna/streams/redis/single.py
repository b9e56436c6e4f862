"""A store that is one server. Owns the way of bundles to a server and of their replies back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relayna.streams.redis.client import Command, ConnectionSettings, Reply, StoreClient
from relayna.streams.redis.identity import identity_of
from relayna.streams.redis.requests import Bundle, Request, bundles

__all__ = ["SingleStore", "carried", "sent"]


class SingleStore:
    """A `Store` on one server."""

    def __init__(self, settings: ConnectionSettings, *, connections: int) -> None:
        self.url = settings.url
        self._client = StoreClient(settings, connections=connections)

    async def open(self) -> None:
        """Ask for an answer."""
        await self.ping()

    async def exchange(self, requests: Sequence[Request]) -> list[Reply]:
        """All in one round trip."""
        return await carried(self._client, requests)

    async def identities(self, keys: Sequence[str]) -> list[str | None]:
        """The server's own, for each key."""
        return [await identity_of(self._client)] * len(keys)

    async def ping(self) -> None:
        """Return when the server answers."""
        await self._client.ask("PING")

    async def servers(self) -> Mapping[str, StoreClient]:
        """The one."""
        return {self.url: self._client}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def carried(client: StoreClient, requests: Sequence[Request]) -> list[Reply]:
    """Carry requests to a server that has all the keys; a reply to each, in order."""
    if len(requests) == 1:  # as most are: there is nothing to be brought together
        bundle = Bundle([(0, requests[0])])
        ((_, reply),) = bundle.replies(await client.exchange(bundle.commands()))
        return [reply]
    if all(len(request.commands) == 1 for request in requests):
        return await client.exchange([request.commands[0] for request in requests]) if requests else []
    together = bundles(enumerate(requests), lambda _: None)
    answers = await sent(client, [bundle.commands() for bundle in together])
    replies = dict(
        numbered
        for bundle, answer in zip(together, answers, strict=True)
        for numbered in bundle.replies(answer)
    )
    return [replies[number] for number in range(len(requests))]


async def sent(client: StoreClient, groups: Sequence[Sequence[Command]]) -> list[list[Reply]]:
    """Send groups of commands in one go; the answers to each group."""
    if not groups:
        return []
    answers = iter(await client.exchange([command for group in groups for command in group]))
    return [[next(answers) for _ in group] for group in groups]
