"""A queue in memory: what waits, in which order, until when, and whose turn it is to take.

Owns order, priorities, expiry times and the rotation among consumers. Does not dead-letter: it says
what has expired and the host moves it.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import Protocol

from msgspec import Struct

from relayna.consumer.broker import Message
from relayna.instants import Instant
from relayna.topologies.declarations import Queue

__all__ = ["MemoryQueue", "StoredMessage", "Taker"]


class StoredMessage(Struct, kw_only=True):
    """A message in one queue, and how it came there."""

    message: Message
    exchange: str
    routing_key: str
    position: int
    """Its place in the queue, kept when it is given back."""
    expires_at: Instant | None = None
    returns: int = 0
    """How often it was handed out and came back."""


class Taker(Protocol):
    """Who takes messages of a queue: a channel."""

    def has_room(self) -> bool:
        """Whether it may be handed one more."""

    def hand_out(self, stored: StoredMessage) -> None:
        """Take this one."""


class MemoryQueue:
    """A declared queue and the messages in it: those that wait are `ready`, those handed out `unsettled`."""

    def __init__(self, declared: Queue) -> None:
        self.declared = declared
        self.unsettled = 0
        self._positions = itertools.count()
        # A lane a priority, each a heap by position; within a lane expiry times only grow.
        self._lanes: list[list[tuple[int, StoredMessage]]] = [
            [] for _ in range((declared.max_priority or 0) + 1)
        ]
        self._takers: deque[Taker] = deque()

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.declared.name

    @property
    def ready(self) -> int:
        """How many messages wait to be handed out."""
        return sum(len(lane) for lane in self._lanes)

    def put(self, message: Message, *, exchange: str, routing_key: str, now: Instant) -> None:
        """A new message, behind those of its priority; its time to live begins now."""
        ttl = self.declared.message_ttl_ms
        self._push(
            StoredMessage(
                message=message,
                exchange=exchange,
                routing_key=routing_key,
                position=next(self._positions),
                expires_at=None if ttl is None else Instant(now + ttl * 1000),
            )
        )

    def put_back(self, stored: StoredMessage) -> None:
        """A message that was handed out waits again, in its old place and with its old expiry."""
        self.unsettled -= 1
        self._push(stored)

    def forget(self) -> None:
        """A message that was handed out is settled for good."""
        self.unsettled -= 1

    def add_taker(self, taker: Taker) -> None:
        """Someone takes from now on, last in the rotation."""
        self._takers.append(taker)

    def remove_taker(self, taker: Taker) -> None:
        """Someone takes no more."""
        if taker in self._takers:
            self._takers.remove(taker)

    def dispatch(self) -> None:
        """Hand out what waits, in order and in turns, as far as takers have room."""
        while any(self._lanes) and (taker := self._next_taker()) is not None:
            lane = next(lane for lane in reversed(self._lanes) if lane)
            self.unsettled += 1
            taker.hand_out(heapq.heappop(lane)[1])

    def next_expiry(self) -> Instant | None:
        """When the first of the waiting messages expires."""
        if not any(self._lanes):
            return None
        expiries = (lane[0][1].expires_at for lane in self._lanes if lane)
        return min((expiry for expiry in expiries if expiry is not None), default=None)

    def pop_expired(self, expiry: Instant) -> StoredMessage:
        """The waiting message that expires at `expiry`, which `next_expiry` gave."""
        lane = next(lane for lane in self._lanes if lane and lane[0][1].expires_at == expiry)
        return heapq.heappop(lane)[1]

    def drop_oldest(self) -> None:
        """Forget the waiting message that came first, of those whose priority is lowest; one waits."""
        heapq.heappop(next(lane for lane in self._lanes if lane))

    def _push(self, stored: StoredMessage) -> None:
        priority = max(0, min(stored.message.priority or 0, len(self._lanes) - 1))
        heapq.heappush(self._lanes[priority], (stored.position, stored))

    def _next_taker(self) -> Taker | None:
        for _ in range(len(self._takers)):
            self._takers.rotate(-1)
            if self._takers[-1].has_room():
                return self._takers[-1]
        return None
