"""Where every message of relayna's leaves by: one broker, one confirm timeout.

Owns that last step of publishing alone; what is sent, and what is told of it, is decided by whoever sends.
"""

from __future__ import annotations

from relayna.consumer.broker import Broker, Message
from relayna.topologies import Route

__all__ = ["Sender"]


class Sender:
    """Sends messages to a broker."""

    def __init__(self, broker: Broker, *, confirm_timeout: float) -> None:
        """`confirm_timeout` is in seconds."""
        self._broker = broker
        self._confirm_timeout = confirm_timeout

    async def send(self, message: Message, route: Route) -> None:
        """Return when the broker has confirmed that a queue holds the message. Raises `BrokerError`."""
        await self._broker.publish(
            message,
            exchange=route.exchange,
            routing_key=route.routing_key,
            confirm_timeout=self._confirm_timeout,
        )
