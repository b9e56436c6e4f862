"""How the deliveries of one channel end: what is asked for in one turn of the event loop is sent together.

Owns which tags are unsettled, and what is sent for them, in which order. What a failure means is `channels.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import anyio
from aiormq.abc import AbstractChannel
from msgspec import Struct

from relayna.consumer.broker import Settlement
from relayna.consumer.rabbitmq.calls import in_place

__all__ = ["Order", "Settlements", "orders_for"]

_SECONDS_TO_SETTLE: Final = 10.0


class Order(Struct, frozen=True):
    """One frame to the broker."""

    tag: int
    settlement: Settlement
    is_multiple: bool = False
    """Whether it holds for every unsettled delivery before this one as well (AMQP 0-9-1, basic.ack)."""


def orders_for(asked: Mapping[int, Settlement], unsettled: Collection[int]) -> list[Order]:
    """What settles these and nothing else: one ack for all of them before the first that is `unsettled`.

    >>> ack = Settlement.ACK
    >>> [(one.tag, one.is_multiple) for one in orders_for({1: ack, 4: ack, 2: ack}, unsettled=[3])]
    [(2, True), (4, False)]
    """
    acks = sorted(tag for tag, settlement in asked.items() if settlement is Settlement.ACK)
    # Before the acks: until then the broker holds these for unsettled, and an ack of many would take them along.
    orders = [Order(tag, asked[tag]) for tag in asked if asked[tag] is not Settlement.ACK]
    first = min(unsettled, default=None)
    together = [tag for tag in acks if first is None or tag < first]
    if together:
        orders.append(Order(together[-1], Settlement.ACK, is_multiple=len(together) > 1))
    return orders + [Order(tag, Settlement.ACK) for tag in acks[len(together) :]]


class Settlements:
    """Of one channel, whose tags grow. `underlying` is the driver's channel."""

    def __init__(self, underlying: Callable[[], Awaitable[AbstractChannel]]) -> None:
        self._underlying = underlying
        self._unsettled: set[int] = set()
        self._in_doubt: set[int] = set()
        """Asked for in vain: the broker may hold them still, and an ack of many would take them along."""
        self._asked: dict[int, Settlement] = {}
        self._waiting: list[asyncio.Future[Exception | None]] = []
        self._sending: asyncio.Task[None] | None = None

    def __contains__(self, tag: int) -> bool:
        """Whether the delivery of this tag is still to be settled."""
        return tag in self._unsettled

    def handed_out(self, tag: int) -> None:
        """There is a delivery of this tag now."""
        self._unsettled.add(tag)

    async def settle(self, tag: int, settlement: Settlement) -> Exception | None:
        """Return when it is sent, or what was raised instead. Cancelling the wait leaves it under way.

        For a tag that is in here, once: RabbitMQ closes the channel over what it does not know.
        """
        self._unsettled.discard(tag)
        self._asked[tag] = settlement
        sent: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(sent)
        if self._sending is None:
            # A task begins with the next turn: until then others may ask.
            self._sending = asyncio.create_task(self._send())
        return await sent

    async def _send(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                waiting, self._waiting = self._waiting, []
                problem = await self._sent(orders_for(asked, self._unsettled | self._in_doubt))
                if problem is not None:
                    self._in_doubt |= asked.keys()
                for sent in waiting:
                    if not sent.done():
                        sent.set_result(problem)
        finally:
            self._sending = None

    async def _sent(self, orders: list[Order]) -> Exception | None:
        with anyio.move_on_after(_SECONDS_TO_SETTLE):
            try:
                await in_place(self._write(orders))
            except Exception as error:  # noqa: BLE001 - whatever it is, each of those who wait is told
                return error
            return None
        return TimeoutError("nobody reads it")

    async def _write(self, orders: list[Order]) -> None:
        channel = await self._underlying()
        for order in orders:
            is_last = order is orders[-1]
            if order.settlement is Settlement.ACK:
                await channel.basic_ack(order.tag, multiple=order.is_multiple, wait=is_last)
            else:
                await channel.basic_reject(
                    order.tag, requeue=order.settlement is Settlement.RELEASE, wait=is_last
                )
