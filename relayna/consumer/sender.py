"""Where every message of relayna's leaves by: one broker, one confirm timeout, one span a message.

Owns that last step of publishing alone; what is sent, and what is told of it, is decided by whoever sends.
"""

from __future__ import annotations

from msgspec.structs import replace

from relayna.clock import Clock, SystemClock
from relayna.consumer.broker import Broker, Message
from relayna.consumer.messages.published_at import stamped
from relayna.signals import IgnoredSpans, SendDetails, Spans
from relayna.topologies import Route

__all__ = ["Sender"]


class Sender:
    """Sends messages to a broker."""

    def __init__(
        self,
        broker: Broker,
        *,
        confirm_timeout: float,
        spans: Spans | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`confirm_timeout` is in seconds."""
        self._broker = broker
        self._confirm_timeout = confirm_timeout
        self._clock = SystemClock() if clock is None else clock
        self._spans = IgnoredSpans() if spans is None else spans

    async def send(self, message: Message, route: Route) -> None:
        """Return when the broker has confirmed that a queue holds the message. Raises `BrokerError`."""
        details = SendDetails(
            exchange=route.exchange,
            routing_key=route.routing_key,
            headers=message.headers,
            message_id=message.message_id,
            correlation_id=message.correlation_id,
            body_size=len(message.body),
        )
        with self._spans.sending(details) as headers:
            await self._broker.publish(
                replace(message, headers=stamped(headers, self._clock.now())),
                exchange=route.exchange,
                routing_key=route.routing_key,
                confirm_timeout=self._confirm_timeout,
            )
