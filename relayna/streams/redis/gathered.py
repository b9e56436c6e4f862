"""Requests of tasks that go on at the same time, brought to the store in one exchange.

Owns who carries whose. An exchange costs a process as much as many requests do, and whoever writes to 64 shards
makes four for each: what all of them ask at one moment travels together. Nothing waits for company longer than the
event loop takes to come round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import anyio.lowlevel
from msgspec import Struct, field

from relayna.errors import StoreError, StoreUnreachable
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.requests import Request
from relayna.streams.redis.store import Exchange

__all__ = ["GatheredRequests"]


class _Asked(Struct):
    """What one caller asks, and what it is answered."""

    requests: Sequence[Request]
    done: anyio.Event = field(default_factory=anyio.Event)
    replies: Sequence[Reply] | None = None


class GatheredRequests:
    """An `Exchange` over that of a store, which is asked for anew each time."""

    def __init__(self, store: Callable[[], Exchange]) -> None:
        """`store` raises `LogNotOpen` while there is none."""
        self._store = store
        self._waiting: list[_Asked] = []

    async def exchange(self, requests: Sequence[Request]) -> list[Reply]:
        """A reply to each request, in order. Raises `LogNotOpen`.

        The first who asks carries the requests of all that ask until the loop has come round. Should it be
        cancelled, nobody knows what became of the others', and they are told so.
        """
        mine = _Asked(requests)
        self._waiting.append(mine)
        if len(self._waiting) > 1:
            await mine.done.wait()
        else:
            await self._carry()
        if mine.replies is None:
            raise LookupError("requests were carried, and not answered")
        return list(mine.replies)

    async def _carry(self) -> None:
        together: list[_Asked] = self._waiting
        outcome: StoreError = StoreUnreachable("the store", "who carried the request was cancelled")
        try:
            await anyio.lowlevel.checkpoint()
            together, self._waiting = self._waiting, []
            replies = await self._store().exchange([one for asked in together for one in asked.requests])
            at = 0
            for asked in together:
                asked.replies = replies[at : at + len(asked.requests)]
                at += len(asked.requests)
        except StoreError as error:
            outcome = error
            raise
        finally:
            if self._waiting is together:
                self._waiting = []
            for asked in together:
                if asked.replies is None:
                    asked.replies = [Failed(outcome, outcome_unknown=True)] * len(asked.requests)
                asked.done.set()
