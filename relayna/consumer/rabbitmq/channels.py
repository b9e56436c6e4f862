"""The channels that deliveries come by, and settling on them.

Owns channel numbers, which are never used twice in a broker's life. What is sent for each is `settlements.py`'s.
Subscribing again after a channel is lost is the subscription's affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Final

import anyio
from aio_pika import exceptions as driver
from aio_pika.abc import AbstractChannel
from aiormq.abc import DeliveredMessage

from relayna.consumer.broker import Delivery, Settlement
from relayna.consumer.rabbitmq.calls import answered, isolated
from relayna.consumer.rabbitmq.errands import Errands
from relayna.consumer.rabbitmq.failures import DRIVER_ERRORS, problem_of
from relayna.consumer.rabbitmq.link import Link, close_channel
from relayna.consumer.rabbitmq.message import incoming_delivery
from relayna.consumer.rabbitmq.settlements import Settlements
from relayna.errors import BrokerError, BrokerRefused, Disconnected, NotDeclared

__all__ = ["ConsumingChannel", "ConsumingChannels"]

_SECONDS_TO_STOP = 5.0


class ConsumingChannel:
    """One channel that takes from one queue. What it hands out can be settled while it is open."""

    def __init__(
        self, number: int, queue_name: str, channel: AbstractChannel, receive: Callable[[Delivery], None]
    ) -> None:
        self.number = number
        self.queue_name = queue_name
        self.interrupted = asyncio.Event()
        """Set when nothing more comes by it: it is closed, or the broker cancelled its consumer."""
        self._channel = channel
        self._receive = receive
        self._settlements = Settlements(channel.get_underlay_channel)
        self._consumer_tag: str | None = None
        channel.close_callbacks.add(lambda *_: self.interrupted.set())

    @property
    def is_open(self) -> bool:
        """Whether the channel is open, as far as is known."""
        return not self._channel.is_closed

    async def consume(self, prefetch: int) -> None:
        """Begin to take. Raises `NotDeclared`, which closes the channel, `BrokerRefused` and `Disconnected`."""
        self.interrupted.clear()
        try:
            underlying = await self._channel.get_underlay_channel()
            underlying.on_consumer_cancel_callbacks.add(self._cancelled_by_broker)
            await answered(underlying.basic_qos(prefetch_count=prefetch))
            begun = await answered(underlying.basic_consume(self.queue_name, self._handed_out))
        except driver.ChannelNotFoundEntity as error:
            raise NotDeclared("queue", self.queue_name) from error
        except DRIVER_ERRORS as error:
            raise self._failure(error) from error
        self._consumer_tag = begun.consumer_tag
        if not self.is_open:
            self.interrupted.set()

    async def stop(self) -> None:
        """Take no more; what was handed out can still be settled."""
        tag, self._consumer_tag = self._consumer_tag, None
        if tag is not None and self.is_open:
            with anyio.move_on_after(_SECONDS_TO_STOP), contextlib.suppress(*DRIVER_ERRORS):
                underlying = await self._channel.get_underlay_channel()
                await isolated(underlying.basic_cancel(tag))

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Send the settlement. Raises `Disconnected`, and sends nothing for what was settled before.

        RabbitMQ would close the channel over a second settlement, and hand its other deliveries out again.
        """
        tag = delivery.delivery_tag
        if tag not in self._settlements:
            raise Disconnected(f"Delivery {tag} of queue {self.queue_name!r}, settled before,")
        problem = await self._settlements.settle(tag, settlement)
        if problem is not None:
            raise self._failure(problem) from problem

    async def close(self) -> None:
        """Close it: what is unsettled goes back to the queue."""
        await close_channel(self._channel)

    async def _handed_out(self, message: DeliveredMessage) -> None:
        delivery = incoming_delivery(message, queue_name=self.queue_name, channel=self.number)
        self._settlements.handed_out(delivery.delivery_tag)
        self._receive(delivery)

    def _cancelled_by_broker(self, _: object) -> None:
        self.interrupted.set()

    def _failure(self, error: Exception) -> BrokerError:
        problem = problem_of(error)
        if "ACCESS_REFUSED" in problem:
            return BrokerRefused(f"consuming from queue {self.queue_name!r}", problem)
        return Disconnected(f"Channel {self.number} of queue {self.queue_name!r} ({problem})")


class ConsumingChannels:
    """The open ones, by number."""

    def __init__(self, errands: Errands) -> None:
        self._errands = errands
        self._numbers: Final = itertools.count(1)
        self._open: dict[int, ConsumingChannel] = {}

    async def open(
        self, link: Link, queue_name: str, *, prefetch: int, receive: Callable[[Delivery], None]
    ) -> ConsumingChannel:
        """A new channel that takes from the queue. Raises `NotDeclared`, `BrokerRefused`, `Disconnected`."""
        channel = ConsumingChannel(next(self._numbers), queue_name, await link.channel(), receive)
        self._open[channel.number] = channel
        try:
            await channel.consume(prefetch)
        except BaseException:
            await self.close(channel)
            raise
        return channel

    async def close(self, channel: ConsumingChannel) -> None:
        """Close it; nothing can be settled on it from now on."""
        self._open.pop(channel.number, None)
        await self._errands.run(channel.close())

    async def close_numbered(self, number: int) -> None:
        """Close the channel of this number, if it is open."""
        if number in self._open:
            await self.close(self._open[number])

    def is_open(self, number: int) -> bool:
        """Whether the channel of this number is open."""
        return number in self._open and self._open[number].is_open

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """End the delivery. Raises `Disconnected`."""
        channel = self._open.get(delivery.channel)
        if channel is None or not channel.is_open:
            raise Disconnected(f"Channel {delivery.channel} of queue {delivery.queue_name!r}")
        await channel.settle(delivery, settlement)
