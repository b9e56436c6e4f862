"""The steps that tests of brokers are told in: send, take, settle.

Written against the protocol alone. Waits only for what must come, and gives up in time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from relayna.consumer.broker import Broker, Delivery, Message, Settlement

__all__ = ["PATIENCE_SECONDS", "bodies", "send", "settle_next", "take"]

PATIENCE_SECONDS = 10
"""After this long a delivery that should have come is a failure, not a wait."""


async def take(deliveries: AsyncIterator[Delivery]) -> Delivery:
    """The next delivery, which must come."""
    with anyio.fail_after(PATIENCE_SECONDS):
        return await anext(deliveries)


async def settle_next(
    broker: Broker, deliveries: AsyncIterator[Delivery], settlement: Settlement = Settlement.ACK
) -> Delivery:
    """Take the next delivery and settle it."""
    delivery = await take(deliveries)
    await broker.settle(delivery, settlement)
    return delivery


async def send(broker: Broker, queue_name: str, *bodies: bytes) -> None:
    """Publish straight to a queue."""
    for body in bodies:
        await broker.publish(Message(body=body), exchange="", routing_key=queue_name)


async def bodies(deliveries: AsyncIterator[Delivery], count: int) -> list[bytes]:
    """The bodies of the next deliveries, which stay unsettled."""
    return [(await take(deliveries)).message.body for _ in range(count)]
