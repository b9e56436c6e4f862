"""What lies in a queue that nobody takes from, taken out to be looked at.

Owns how the end of a queue is found on any broker: by a marker of our own behind everything else.
"""

from __future__ import annotations

from typing import Final

from relayna.consumer import Broker, Message, Settlement
from relayna.mint import RandomMint

__all__ = ["take_all"]

_MARKER: Final = "x-relayna-end-of-queue"
_PREFETCH: Final = 100


async def take_all(broker: Broker, queue_name: str) -> list[Message]:
    """Every message that waits in the queue, in the order in which it hands them out. Raises `BrokerError`."""
    marker = RandomMint().message_id()
    await broker.publish(
        Message(body=b"", headers={_MARKER: marker}, message_id=marker), exchange="", routing_key=queue_name
    )
    taken: list[Message] = []
    async with broker.consume(queue_name, prefetch=_PREFETCH) as subscription:
        async for delivery in subscription:
            await broker.settle(delivery, Settlement.ACK)
            if delivery.message.headers.get(_MARKER) == marker:
                break
            taken.append(delivery.message)
    return taken
