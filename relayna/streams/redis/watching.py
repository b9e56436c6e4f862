"""Waiting for new entries of many streams with few connections.

Owns how long one request waits and how many streams it waits for. Reads no entry for anybody: of each stream
with news one travels, because the server cannot tell of it otherwise, and is not looked at.

One server is asked to answer when there is something (`XREAD BLOCK`), on connections of our own that have
the patience for it. A cluster is asked again and again: what lies in several slots cannot be waited for by
one request, and a slot that moves away would not be told of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import anyio
from msgspec import Struct
from msgspec.structs import replace

from relayna.errors import StoreError
from relayna.ids import StreamId
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.outcomes import Trouble, ruling
from relayna.streams.redis.addresses import Address, ClusterAddress
from relayna.streams.redis.client import Command, ConnectionCount, Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.requests import Request
from relayna.streams.redis.store import Store

__all__ = ["STREAMS_A_REQUEST", "Watcher"]

STREAMS_A_REQUEST: Final = 64
"""Of so many streams one request asks."""

_CONNECTIONS: Final = 32
_LONGEST_BLOCK_SECONDS: Final = 5.0
_SECONDS_BETWEEN_POLLS: Final = 0.05


class _Watched(Struct, frozen=True):
    """A stream, and up to where it is known."""

    address: TaskAddress
    key: str
    after: StreamId


class Watcher:
    """Which of some streams have something new. Its connections are made when they are first needed."""

    def __init__(self, keys: KeyGrammar, address: Address, reader: Store) -> None:
        """`reader` answers what need not be waited for."""
        self._keys = keys
        self._reader = reader
        self._waiter = None if isinstance(address, ClusterAddress) else _patient(address)
        self._idle = _CONNECTIONS

    async def changed(
        self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float
    ) -> set[TaskAddress]:
        """As `Log.changed`. Raises `StoreUnreachable` or `StoreRefused`."""
        watched = [
            _Watched(address, self._keys.events(address), after) for address, after in positions.items()
        ]
        deadline = anyio.current_time() + wait_seconds
        groups = self._groups(watched)
        # Whoever waits for one group is told at once of all that is there; of several the first to answer is told.
        is_told_at_once = wait_seconds > 0 and self._waiter is not None and len(groups) == 1
        found = set() if is_told_at_once else await self._poll(groups)
        while not found and (remaining := deadline - anyio.current_time()) > 0:
            if self._waiter is None or not groups or len(groups) > self._idle:
                await anyio.sleep(min(remaining, _SECONDS_BETWEEN_POLLS))
            else:
                found = await self._wait(self._waiter, groups, min(remaining, _LONGEST_BLOCK_SECONDS))
            found = found or await self._poll(groups)
        return found

    async def aclose(self) -> None:
        """Close the connections of our own; whoever waits on one is told that the store is away."""
        if self._waiter is not None:
            await self._waiter.aclose()

    def _groups(self, watched: Iterable[_Watched]) -> list[list[_Watched]]:
        """Those of one request together; in a cluster they lie in one slot."""
        places: dict[int, list[_Watched]] = {}
        for one in watched:
            place = 0 if self._waiter is not None else self._keys.shard_of(one.address)
            places.setdefault(place, []).append(one)
        return [
            together[start : start + STREAMS_A_REQUEST]
            for together in places.values()
            for start in range(0, len(together), STREAMS_A_REQUEST)
        ]

    async def _poll(self, groups: list[list[_Watched]]) -> set[TaskAddress]:
        """What is there now. Leaves out of `groups` what is no stream."""
        if not groups:
            return set()
        replies = await self._reader.exchange([_request(group) for group in groups])
        found: set[TaskAddress] = set()
        refused: list[_Watched] = []
        for group, reply in zip(groups, replies, strict=True):
            if not isinstance(reply, Failed):
                found |= _told(group, reply)
            elif _is_for_one_alone(reply.error):
                refused += group
            else:
                raise reply.error
        if refused:
            found |= await self._poll_singly(refused, groups)
        return found

    async def _poll_singly(
        self, refused: Sequence[_Watched], groups: list[list[_Watched]]
    ) -> set[TaskAddress]:
        replies = await self._reader.exchange([_request([one]) for one in refused])
        found: set[TaskAddress] = set()
        unusable: set[str] = set()
        for one, reply in zip(refused, replies, strict=True):
            if not isinstance(reply, Failed):
                found |= _told([one], reply)
            elif ruling(reply.error).trouble is Trouble.TASK:
                unusable.add(one.key)
            else:
                raise reply.error
        usable = [[one for one in group if one.key not in unusable] for group in groups]
        groups[:] = [group for group in usable if group]
        return found

    async def _wait(self, waiter: Store, groups: list[list[_Watched]], seconds: float) -> set[TaskAddress]:
        """What the first answer tells of, when that is something; each group waits on a connection."""
        found: set[TaskAddress] = set()
        failures: list[StoreError] = []

        async def wait_for(group: list[_Watched]) -> None:
            (reply,) = await waiter.exchange([_request(group, seconds)])
            if not isinstance(reply, Failed):
                found.update(_told(group, reply))
            elif not _is_for_one_alone(reply.error):  # a poll finds out who that one is
                failures.append(reply.error)
            if found or failures:
                waiting.cancel_scope.cancel()

        self._idle -= len(groups)
        try:
            async with anyio.create_task_group() as waiting:
                for group in groups:
                    waiting.start_soon(wait_for, group)
        finally:
            self._idle += len(groups)
        if failures and not found:
            raise failures[0]
        return found


def _patient(address: Address) -> Store:
    """A store whose connections wait longer for an answer than the server does."""
    settings = address.settings
    patience = float(settings.options["socket_timeout"]) + _LONGEST_BLOCK_SECONDS
    options = {**settings.options, "socket_timeout": patience}
    # Counted by itself: that somebody waits again is no news of the server.
    patient = replace(settings, options=options, count=ConnectionCount())
    return replace(address, settings=patient).store(connections=_CONNECTIONS)


def _request(group: Sequence[_Watched], block_seconds: float = 0) -> Request:
    # The server takes 0 to mean for ever.
    waiting: Command = ("BLOCK", max(1, math.ceil(block_seconds * 1000))) if block_seconds > 0 else ()
    keys, positions = [one.key for one in group], [one.after for one in group]
    return Request((("XREAD", "COUNT", 1, *waiting, "STREAMS", *keys, *positions),), keys[0])


def _told(group: Sequence[_Watched], reply: Reply) -> set[TaskAddress]:
    named = {row[0] for row in reply if isinstance(row, list)} if isinstance(reply, list) else set()
    return {one.address for one in group if one.key.encode(errors="surrogatepass") in named}


def _is_for_one_alone(error: StoreError) -> bool:
    """Whether one of several streams is why all were refused: it is none, or its slot is on the move."""
    return ruling(error).trouble is Trouble.TASK or getattr(error, "problem", "").startswith("TRYAGAIN")
