"""A store that is a cluster: each request goes to the node that has its slot.

Owns the routing. All nodes are asked at once, each with one pipelined request. What a node refuses because
it has not the slot was not carried out, so it is sent on; nothing else is ever sent again
(docs/decisions/0010-our-own-routing-on-a-cluster.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import anyio
from msgspec import Struct

from relayna.errors import StoreError, StoreRefused, StoreUnreachable
from relayna.store_url import Endpoint
from relayna.streams.outcomes import Trouble, ruling
from relayna.streams.redis.client import Command, ConnectionSettings, Reply, StoreClient
from relayna.streams.redis.cluster_slots import SlotMap, read_redirection, read_slots, slot_of
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.identity import identity_of
from relayna.streams.redis.pace import Pace
from relayna.streams.redis.requests import Bundle, Request, bundles
from relayna.streams.redis.single import sent

__all__ = ["ClusterStore"]

_TURNS = 8
"""So often a request is sent on before its last refusal stands; a slot that moves takes three at most."""

_ANY_SLOT = 0


class _Errand(Struct, frozen=True):
    """A bundle on its way, and who is to be asked for it this one time, if not who has the slot."""

    bundle: Bundle
    slot: int
    ask: Endpoint | None = None

    def commands(self) -> list[Command]:
        # ASKING holds for the next command, and before MULTI until its EXEC.
        commands = self.bundle.commands()
        return commands if self.ask is None else [("ASKING",), *commands]


class ClusterStore:
    """A `Store` on the masters of a cluster."""

    def __init__(
        self, settings: ConnectionSettings, seeds: Sequence[Endpoint], *, url: str, connections: int
    ) -> None:
        """Connects to nothing yet; `seeds` are nodes to begin with, `connections` are those to each node."""
        self.url = url
        self._settings = settings
        self._seeds = seeds
        self._connections = connections
        self._clients: dict[Endpoint, StoreClient] = {}
        self._slots = SlotMap()
        self._outdated = True
        self._silent: set[Endpoint] = set()
        self._pace = Pace()
        self._refreshing = anyio.Lock()

    async def open(self) -> None:
        """Ask a node for the map of slots. Raises `StoreUnreachable` or `StoreRefused`."""
        error = await self._refresh()
        if error is not None:
            raise error

    async def exchange(self, requests: Sequence[Request]) -> list[Reply]:
        """A reply to each; one round trip to each node, and one more for each redirection."""
        if self._outdated:
            await self._refresh_in_turn()
        together = bundles(enumerate(requests), _slot)
        errands = [_Errand(bundle, _slot(bundle.requests[0][1])) for bundle in together]
        replies: dict[int, Reply] = {}
        for _ in range(_TURNS):
            errands = await self._run(errands, replies)
            if not errands:
                break
        return [replies[number] for number in range(len(requests))]

    async def identities(self, keys: Sequence[str]) -> list[str | None]:
        """That of each key's node."""
        nodes = [self._slots.node_of(slot_of(key)) for key in keys]
        asked = [node for node in dict.fromkeys(nodes) if node is not None]
        told = await asyncio.gather(*(identity_of(self._client(node)) for node in asked))
        known = dict(zip(asked, told, strict=True))
        return [None if node is None else known[node] for node in nodes]

    async def ping(self) -> None:
        """Return when every master answers. Raises `StoreUnreachable` or `StoreRefused`."""
        if self._outdated:
            await self._refresh_in_turn()
        answers = await asyncio.gather(
            *(self._client(node).exchange([("PING",)]) for node in self._slots.nodes)
        )
        for (answer,) in answers:
            if isinstance(answer, Failed):
                self._outdated = True
                raise answer.error

    async def servers(self) -> Mapping[str, StoreClient]:
        """Every master."""
        if self._outdated:
            await self._refresh_in_turn()
        return {str(node): self._client(node) for node in self._slots.nodes}

    async def aclose(self) -> None:
        """Close all connections."""
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.aclose() for client in clients.values()))

    async def _run(self, errands: Iterable[_Errand], replies: dict[int, Reply]) -> list[_Errand]:
        """Send each on its way, note the replies, and say what is to be sent on."""
        by_node: dict[Endpoint, list[_Errand]] = {}
        for errand in errands:
            node = errand.ask or self._slots.node_of(errand.slot)
            if node is None:
                replies.update((number, self._nobody(errand.slot)) for number, _ in errand.bundle.requests)
            else:
                by_node.setdefault(node, []).append(errand)
        answered = await asyncio.gather(*(self._carry(node, mine) for node, mine in by_node.items()))
        again: list[_Errand] = []
        for (node, mine), answers in zip(by_node.items(), answered, strict=True):
            for errand, answer in zip(mine, answers, strict=True):
                own = errand.bundle.replies(answer[-len(errand.bundle.commands()) :])
                replies.update(own)
                again += self._sent_on(errand, own[0][1], node)
        return again

    async def _carry(self, node: Endpoint, errands: Sequence[_Errand]) -> list[list[Reply]]:
        return await sent(self._client(node), [errand.commands() for errand in errands])

    def _sent_on(self, errand: _Errand, reply: Reply, node: Endpoint) -> list[_Errand]:
        """What a refusal asks for. Only what was surely not carried out comes back from here."""
        self._take_note(reply, node)
        redirection = read_redirection(reply, node)
        alone = len(errand.bundle.requests) == 1
        if redirection is None:
            if alone or not _is_try_again(reply):
                return []
            # Some of its keys are here and some are there: each has a place of its own.
            return [_Errand(single, errand.slot) for single in errand.bundle.singly()]
        if redirection.kind == "MOVED":
            self._slots.learned[errand.slot] = redirection.node
            self._outdated = True
            return [_Errand(errand.bundle, errand.slot)]
        if alone:
            return [_Errand(errand.bundle, errand.slot, redirection.node)]
        return [_Errand(single, errand.slot) for single in errand.bundle.singly()]

    def _take_note(self, reply: Reply, node: Endpoint) -> None:
        if isinstance(reply, Failed) and isinstance(reply.error, StoreUnreachable):
            self._silent.add(node)
            self._outdated = True
        elif isinstance(reply, Failed) and ruling(reply.error).trouble is Trouble.STORE:
            self._outdated = self._outdated or not _is_try_again(reply)
        else:
            self._silent.discard(node)

    async def _refresh_in_turn(self) -> None:
        async with self._refreshing:
            if self._outdated and self._pace.take_turn():
                await self._refresh()

    async def _refresh(self) -> StoreError | None:
        """Take the map of the first node that gives one; the last node's error when none does."""
        error: StoreError | None = None
        for node in self._whom_to_ask():
            (answer,) = await self._client(node).exchange([("CLUSTER", "SLOTS")])
            if isinstance(answer, Failed):
                self._silent.add(node)
                error = answer.error
                continue
            slots = read_slots(answer, node)
            if slots.ranges:
                self._slots, self._outdated = slots, False
                self._silent.discard(node)
                await self._retire_strangers()
                return None
            error = StoreRefused(
                "CLUSTER SLOTS", f"CLUSTERDOWN the node {node} knows of nobody who has a slot"
            )
        return error

    def _whom_to_ask(self) -> list[Endpoint]:
        known = dict.fromkeys([*self._slots.nodes, *self._seeds])
        return sorted(known, key=lambda node: node in self._silent)

    async def _retire_strangers(self) -> None:
        members = set(self._slots.nodes)
        strangers = [node for node in self._clients if node not in members]
        for node in strangers:
            self._silent.discard(node)
            await self._clients.pop(node).retire()

    def _client(self, node: Endpoint) -> StoreClient:
        client = self._clients.get(node)
        if client is None:
            settings = self._settings.at(node)
            client = StoreClient(settings, connections=self._connections, part="node")
            self._clients[node] = client
        return client

    def _nobody(self, slot: int) -> Failed:
        self._outdated = True
        return Failed(StoreRefused("the request", f"CLUSTERDOWN nobody is known to have slot {slot}"))


def _slot(request: Request) -> int:
    return _ANY_SLOT if request.key is None else slot_of(request.key)


def _is_try_again(reply: Reply) -> bool:
    return (
        isinstance(reply, Failed)
        and isinstance(reply.error, StoreRefused)
        and reply.error.problem.startswith("TRYAGAIN")
    )
