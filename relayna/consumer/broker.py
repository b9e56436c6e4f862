"""What a message broker must do for relayna, method by method.

Owns the protocol and the shapes that pass through it. `memory/` and RabbitMQ implement it under
one contract suite (`tests/consumer/broker_contract.py`).
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol, Self

from msgspec import Struct, field

from relayna.topologies.declarations import Declarations

__all__ = ["Broker", "Delivery", "Message", "Settlement", "Subscription"]


class Message(Struct, frozen=True, kw_only=True):
    """What is published: bytes, headers and the AMQP properties that relayna uses."""

    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)  # Any: AMQP header values
    message_id: str | None = None
    """An AMQP short string: at most 255 bytes."""
    correlation_id: str | None = None
    content_type: str | None = "application/json"
    priority: int | None = None


class Delivery(Struct, frozen=True, kw_only=True):
    """One message, handed out once by one channel. It must be settled once, or its channel must close."""

    message: Message
    queue_name: str
    exchange: str
    routing_key: str
    delivery_tag: int
    redelivered: bool = False
    """Handed out before; not a sign that a handler ever saw it."""
    delivery_count: int | None = None
    """How often it was handed out before, where the broker counts (quorum queues)."""
    channel: int = 0
    """Which channel handed it out; a tag means nothing on another."""


class Settlement(enum.Enum):
    """How a delivery ends."""

    ACK = "ack"
    """It is done; the broker forgets it."""
    RELEASE = "release"
    """It goes back to its queue and is handed out again, marked redelivered."""
    REJECT = "reject"
    """It is refused; the queue's dead-letter exchange gets it, when there is one."""


class Subscription(Protocol):
    """The deliveries of one queue, at most `prefetch` of them unsettled at a time.

    Goes on through reconnects: deliveries of a lost channel are handed out again on a new one.
    """

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Deliveries until `cancel`. Several tasks may iterate at once; each delivery goes to one of them."""

    async def cancel(self) -> None:
        """Take no more: iteration ends, deliveries not yet taken go back, taken ones can still be settled."""


class Broker(Protocol):
    """Publishes with confirms, consumes with explicit settlement."""

    async def declare(self, declarations: Declarations) -> None:
        """Make all of it exist, up to the first thing that cannot. Declaring the same again changes nothing.

        Raises `ConfigurationMismatch` for what exists with other arguments or asks for what no broker does,
        `NotDeclared` for a binding of something that is not there, `BrokerRefused` without permission, and
        `Disconnected`.
        """

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        """Return when the broker has confirmed that a queue holds the message.

        `exchange=""` routes by queue name. The whole of it takes at most `confirm_timeout` seconds. Within them a
        broker that connects again by itself waits for a connection that is down, as RabbitMQ does; one whose
        outage ends only when somebody says so, as the memory's does, need not.

        Raises, when nothing was published: `Unroutable` when no queue is there for it, `InvalidMessage` for what
        AMQP cannot carry, `BrokerRefused` without permission, and `Disconnected` when there is no connection.
        Raises `PublishRefused` when a queue will not take it, though others may have theirs, and `OutcomeUnknown`
        when no confirm came: it may be there.
        """

    def consume(self, queue_name: str, *, prefetch: int) -> AbstractAsyncContextManager[Subscription]:
        """Take deliveries of the queue. Leaving the context closes the channel: what is unsettled goes back.

        Entering raises `NotDeclared` when there is no such queue, `Disconnected` during an outage, `BrokerRefused`
        without permission, and `InvalidSetting` for a prefetch that AMQP does not have.
        """

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """End the delivery.

        Raises `Disconnected` when its channel is closed, then it will be handed out again, or when it was settled
        before.
        """

    def is_open(self, delivery: Delivery) -> bool:
        """Whether the channel that handed it out is open, as far as is known."""

    async def __aenter__(self) -> Self:
        """Connect. Raises `BrokerRefused` for a login that is wrong, and `Disconnected`."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close connections; unsettled deliveries go back to their queues."""
