"""What stands between a trial's workers and their broker.

Owns what was declared, so that it can be deleted, and who takes from which queue. All else is the broker's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

from relayna.consumer import Broker, Delivery, Message, Settlement, Subscription
from relayna.topologies import Declarations

__all__ = ["TrialBroker"]


class TrialBroker:
    """A `Broker` that passes everything on to another, and remembers."""

    def __init__(self, broker: Broker) -> None:
        self.declared = Declarations()
        """Everything that anybody declared through this."""
        self._broker = broker
        self._takers: Counter[str] = Counter()

    def is_consumed(self, queue_name: str) -> bool:
        """Whether somebody takes from the queue at the moment."""
        return self._takers[queue_name] > 0

    async def declare(self, declarations: Declarations) -> None:
        """As the broker does."""
        self.declared += declarations  # before it is done: it may be done in part
        await self._broker.declare(declarations)

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        """As the broker does."""
        await self._broker.publish(
            message, exchange=exchange, routing_key=routing_key, confirm_timeout=confirm_timeout
        )

    def consume(self, queue_name: str, *, prefetch: int) -> AbstractAsyncContextManager[Subscription]:
        """As the broker does."""
        return self._consume(queue_name, prefetch)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """As the broker does."""
        await self._broker.settle(delivery, settlement)

    def is_open(self, delivery: Delivery) -> bool:
        """As the broker says."""
        return self._broker.is_open(delivery)

    async def __aenter__(self) -> Self:
        """Enter the broker."""
        await self._broker.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the broker."""
        await self._broker.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _consume(self, queue_name: str, prefetch: int) -> AsyncIterator[Subscription]:
        async with self._broker.consume(queue_name, prefetch=prefetch) as subscription:
            self._takers[queue_name] += 1
            try:
                yield subscription
            finally:
                self._takers[queue_name] -= 1
