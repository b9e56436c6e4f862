"""A channel in memory, and the subscription that outlives it.

Owns delivery tags, what is unsettled, and the deliveries handed over but not yet taken. Decides nothing
about messages: settling and giving back are the broker's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.lowlevel
from msgspec import structs

from relayna.consumer.broker import Delivery
from relayna.consumer.memory.message import copy_headers
from relayna.consumer.memory.queue import MemoryQueue, StoredMessage

__all__ = ["MemoryChannel", "MemorySubscription"]


class MemorySubscription:
    """The deliveries of one queue, through one channel after another."""

    def __init__(
        self, queue: MemoryQueue, prefetch: int, cancel: Callable[[MemorySubscription], Awaitable[None]]
    ) -> None:
        self.queue = queue
        self.prefetch = prefetch
        self.ended = False
        self._cancel = cancel
        self._untaken: deque[Delivery] = deque()
        self._news = anyio.Event()

    @property
    def untaken(self) -> int:
        """How many deliveries were handed over and wait to be taken by iterating."""
        return len(self._untaken)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Deliveries until `cancel`, or until the broker is left."""
        return self

    async def __anext__(self) -> Delivery:
        """The next delivery. Cancelling the wait takes none."""
        await anyio.lowlevel.checkpoint()
        while not self._untaken:
            if self.ended:
                raise StopAsyncIteration
            await self._news.wait()
        return self._untaken.popleft()

    async def cancel(self) -> None:
        """Take no more: untaken deliveries go back, taken ones can still be settled."""
        await self._cancel(self)

    def receive(self, delivery: Delivery) -> None:
        """A channel hands over one delivery."""
        self._untaken.append(delivery)
        self._wake()

    def withdraw(self) -> list[Delivery]:
        """Take back what was handed over and not taken."""
        withdrawn = list(self._untaken)
        self._untaken.clear()
        return withdrawn

    def end(self) -> None:
        """Iteration ends once nothing is left to take."""
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()


class MemoryChannel:
    """One channel: takes from one queue for one subscription, and knows what is unsettled on it."""

    def __init__(self, number: int, subscription: MemorySubscription) -> None:
        self.number = number
        self.subscription = subscription
        self.queue = subscription.queue
        self._unsettled: dict[int, StoredMessage] = {}
        self._last_tag = 0

    def has_room(self) -> bool:
        """Whether fewer deliveries than the prefetch are unsettled."""
        return len(self._unsettled) < self.subscription.prefetch

    def hand_out(self, stored: StoredMessage) -> None:
        """Hand the message to the subscription, with headers of the delivery's own."""
        self._last_tag += 1
        self._unsettled[self._last_tag] = stored
        counted = self.queue.declared.kind == "quorum"
        self.subscription.receive(
            Delivery(
                message=structs.replace(stored.message, headers=copy_headers(stored.message.headers)),
                queue_name=self.queue.name,
                exchange=stored.exchange,
                routing_key=stored.routing_key,
                delivery_tag=self._last_tag,
                redelivered=stored.returns > 0,
                delivery_count=stored.returns if counted else None,
                channel=self.number,
            )
        )

    def settle(self, delivery_tag: int) -> StoredMessage | None:
        """The unsettled message of this tag, which is so no longer; `None` when the tag is not known."""
        return self._unsettled.pop(delivery_tag, None)

    def settle_all(self) -> list[StoredMessage]:
        """Every unsettled message, oldest first, when the channel closes."""
        messages = list(self._unsettled.values())
        self._unsettled.clear()
        return messages
