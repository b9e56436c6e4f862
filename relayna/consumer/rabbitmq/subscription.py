"""A subscription that outlives its channels.

Owns the deliveries handed over and not yet taken, and going on after a channel, a connection, a queue or the
consumer itself was lost. Settling is not its affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import anyio.lowlevel

from relayna.consumer.broker import Delivery, Settlement
from relayna.consumer.rabbitmq.channels import ConsumingChannel, ConsumingChannels
from relayna.consumer.rabbitmq.link import Link
from relayna.consumer.rabbitmq.pace import Pace
from relayna.errors import BrokerError, NotDeclared
from relayna.signals import Counters
from relayna.streams.recording.backoff import Backoff

__all__ = ["RabbitMQSubscription"]

_log: Final = logging.getLogger("relayna.broker")


class RabbitMQSubscription:
    """The deliveries of one queue, through one channel after another."""

    def __init__(
        self,
        queue_name: str,
        *,
        prefetch: int,
        link: Link,
        channels: ConsumingChannels,
        backoff: Backoff,
        counters: Counters,
        restore: Callable[[str], Awaitable[None]],
    ) -> None:
        """`restore` declares the queue of that name anew, when it is known how it was declared."""
        self._queue_name = queue_name
        self._restore = restore
        self._prefetch = prefetch
        self._link = link
        self._channels = channels
        self._pace = Pace(backoff)
        self._counters = counters
        self._ended = False
        self._channel: ConsumingChannel | None = None
        self._upkeep: asyncio.Task[None] | None = None
        # `None` is the end, put back by each iteration that meets it.
        self._untaken: asyncio.Queue[Delivery | None] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Deliveries until `cancel`, or until the broker is left."""
        return self

    async def __anext__(self) -> Delivery:
        """The next delivery. Cancelling the wait takes none."""
        if not self._untaken.empty():  # else the wait itself lets others run
            await anyio.lowlevel.checkpoint()
        delivery = await self._untaken.get()
        if delivery is None:
            self._untaken.put_nowait(None)
            raise StopAsyncIteration
        return delivery

    async def open(self) -> None:
        """Subscribe. Raises `NotDeclared`, `BrokerRefused` and `Disconnected`; later losses are mended."""
        await self._pace.next_try()
        await self._subscribe()
        self._upkeep = asyncio.create_task(self._keep_up(), name=f"relayna.broker.{self._queue_name}")

    async def cancel(self) -> None:
        """Take no more: untaken deliveries go back, taken ones can still be settled."""
        if self._ended:
            return
        await self._end_upkeep()
        self._ended = True
        if self._channel is not None:
            await self._channel.stop()
        for delivery in self._withdraw():
            with contextlib.suppress(BrokerError):  # its channel is closed: it goes back by itself
                await self._channels.settle(delivery, Settlement.RELEASE)
        self._untaken.put_nowait(None)

    async def close(self) -> None:
        """End it, and close its channel: what is unsettled goes back."""
        await self.end()
        channel, self._channel = self._channel, None
        if channel is not None:
            await self._channels.close(channel)

    async def end(self) -> None:
        """End iterations and take nothing up again; the channel is left to whoever closes the connection."""
        await self._end_upkeep()
        self._ended = True
        self._withdraw()
        self._untaken.put_nowait(None)

    async def _end_upkeep(self) -> None:
        upkeep, self._upkeep = self._upkeep, None
        if upkeep is not None:
            upkeep.cancel()
            await asyncio.wait({upkeep})

    def _receive(self, delivery: Delivery) -> None:
        self._untaken.put_nowait(delivery)

    def _withdraw(self) -> list[Delivery]:
        withdrawn = []
        while not self._untaken.empty():
            delivery = self._untaken.get_nowait()
            if delivery is not None:
                withdrawn.append(delivery)
        return withdrawn

    async def _subscribe(self) -> None:
        self._channel = await self._channels.open(
            self._link, self._queue_name, prefetch=self._prefetch, receive=self._receive
        )

    async def _keep_up(self) -> None:
        while True:
            if self._channel is not None:
                await self._channel.interrupted.wait()
                if not self._channel.is_open:
                    self._withdraw()  # the broker hands them out again
                self._counters.increment("relayna_subscriptions_interrupted_total", queue=self._queue_name)
                _log.warning("The subscription to %r was interrupted; taking it up again", self._queue_name)
            await self._link.up()
            await self._pace.next_try()
            try:
                await self._go_on()
            except BrokerError as error:
                self._pace.failed()
                _log.warning("Cannot subscribe to %r, and keep trying: %s", self._queue_name, error)
                if isinstance(error, NotDeclared):
                    await self._restored()
            else:
                self._pace.succeeded()

    async def _restored(self) -> None:
        """Somebody deleted the queue under its consumer, and what is published to it meanwhile has nowhere to go."""
        try:
            await self._restore(self._queue_name)
        except BrokerError as error:
            _log.warning("Cannot declare %r again: %s", self._queue_name, error)

    async def _go_on(self) -> None:
        channel = self._channel
        if channel is not None and channel.is_open:
            # The broker cancelled the consumer alone: on the same channel, taken deliveries stay good.
            with contextlib.suppress(BrokerError):
                await channel.consume(self._prefetch)
                return
        if channel is not None:
            self._channel = None
            await self._channels.close(channel)
            self._withdraw()
        await self._subscribe()
