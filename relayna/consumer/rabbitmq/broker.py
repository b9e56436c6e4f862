"""The broker behind which RabbitMQ is: who may come in, and who is asked for what.

Owns the two connections, one for publishing and one for everything else: RabbitMQ stops reading from
connections that publish when it runs out of memory, and acknowledgements must still get through.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Final, Self

import anyio
from aio_pika.abc import AbstractChannel
from msgspec import Struct

from relayna.consumer.broker import Delivery, Message, Settlement
from relayna.consumer.option_checks import check_seconds
from relayna.consumer.rabbitmq.channels import ConsumingChannels
from relayna.consumer.rabbitmq.declaring import declare, delete
from relayna.consumer.rabbitmq.errands import Errands
from relayna.consumer.rabbitmq.failures import no_greeting_within
from relayna.consumer.rabbitmq.link import Address, Link, close_channel
from relayna.consumer.rabbitmq.pace import RECONNECT_BACKOFF
from relayna.consumer.rabbitmq.publisher import Publisher
from relayna.consumer.rabbitmq.subscription import RabbitMQSubscription
from relayna.errors import BrokerUnreachable, Disconnected, InvalidSetting
from relayna.signals import Counters, ForwardedMeasures, Measures
from relayna.streams.recording.backoff import Backoff
from relayna.topologies.declarations import Declarations

__all__ = ["RabbitMQBroker"]

_LARGEST_PREFETCH: Final = 65_535
"""An unsigned short in AMQP."""


class _Connected(Struct, frozen=True, eq=False):
    """What there is while somebody is in."""

    publishing: Link
    consuming: Link
    publisher: Publisher

    async def opened(self) -> None:
        """Return when both connections are up. Raises `BrokerRefused`."""
        await self.publishing.opened()
        await self.consuming.opened()

    async def close(self) -> None:
        """Close both connections; unsettled deliveries go back to their queues."""
        await self.publishing.close()
        await self.consuming.close()


class RabbitMQBroker:
    """A `Broker` on RabbitMQ 3.10 or later.

    May be entered by several users of one event loop, and closes with the last. Connections that are lost,
    the first ones included, are made again: each is tried at most once a second, and after at most 5 s of
    waiting. Meanwhile subscriptions wait, publishes wait within their `confirm_timeout`, and what else needs
    a connection raises `Disconnected`.

    - `connect_timeout`: how many seconds entering waits for the broker; `None` is as long as it takes. A
      refused login is reported at once. Connections that are lost later are made again without end.
    - `heartbeat_seconds`: a connection on which nothing is heard for about three of them is given up.
    - `publish_channels`: how many messages are published at a time.
    - `ssl_context`: for `amqps://`, when the URL's own `cafile`, `certfile` and `keyfile` are not enough.

    Counts `relayna_broker_connections_failed_total` and `relayna_broker_connections_lost_total` by what they were for,
    and `relayna_subscriptions_interrupted_total` by queue.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float | None = 60.0,
        heartbeat_seconds: int = 10,
        publish_channels: int = 64,
        ssl_context: ssl.SSLContext | None = None,
        backoff: Backoff = RECONNECT_BACKOFF,
        counters: Counters | None = None,
    ) -> None:
        """Connects to nothing yet. Raises `InvalidSetting`; no error repeats the URL's credentials."""
        if publish_channels < 1:
            raise InvalidSetting("publish_channels", "argument", f"{publish_channels} is less than 1")
        check_seconds("connect_timeout", connect_timeout, instead="None to wait as long as it takes")
        self._address = Address.of(url, heartbeat_seconds=heartbeat_seconds, ssl_context=ssl_context)
        self._connect_timeout = connect_timeout
        self._publish_channels = publish_channels
        self._backoff = backoff
        self._counters = ForwardedMeasures(counters)
        self._errands = Errands()
        self._channels = ConsumingChannels(self._errands)
        self._subscriptions: set[RabbitMQSubscription] = set()
        self._entering = anyio.Lock()
        self._users = 0
        self._connected: _Connected | None = None
        self._declared = Declarations()

    def __repr__(self) -> str:
        """Without credentials: brokers end up in logs and tracebacks."""
        return f"RabbitMQBroker({self._address.shown!r})"

    @property
    def url(self) -> str:
        """Where the broker is, credentials masked."""
        return self._address.shown

    async def __aenter__(self) -> Self:
        """Connect; several users may enter, and it closes with the last.

        Raises `BrokerRefused` when login or virtual host are wrong, and `BrokerUnreachable` when there is no
        broker within `connect_timeout`.
        """
        async with self._entering:
            if self._connected is None:
                self._connected = await self._connect()
            self._users += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close connections; unsettled deliveries go back to their queues and iterations end."""
        self._users -= 1
        if self._users == 0 and self._connected is not None:
            connected, self._connected = self._connected, None
            # To its end, also when cancelled: the driver's closing, cut off by the end of the event loop, never ends.
            with anyio.CancelScope(shield=True):
                await self._errands.run(self._close(connected))
                await self._errands.all_done()

    def report_to(self, measures: Measures) -> None:
        """Report there, unless it was told where when it was made."""
        self._counters.report_to(measures)

    async def declare(self, declarations: Declarations) -> None:
        """Make all of it exist, up to the first thing that cannot.

        Raises `ConfigurationMismatch` for what exists with other arguments and what RabbitMQ refuses
        (406), `NotDeclared` for a binding of something that is not there, `BrokerRefused` without permission,
        and `Disconnected`.
        """
        async with self._channel_for_a_moment() as channel:
            await declare(channel, declarations)
        self._declared += declarations

    async def delete(self, declarations: Declarations) -> None:
        """Delete these queues, with the messages in them, and these exchanges; what is not there is left so.

        For what lived for one run only. Raises `BrokerRefused` without permission, and `Disconnected`.
        """
        self._declared = self._declared.without(declarations)
        async with self._channel_for_a_moment() as channel:
            await delete(channel, declarations)

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        """Return when the broker has confirmed that a queue holds the message; wait for a connection meanwhile.

        Raises `Unroutable` when none does or the exchange does not exist, `PublishRefused` when a queue will
        not take it, `InvalidMessage` for what AMQP cannot carry, `OutcomeUnknown` when no confirm came
        within `confirm_timeout` seconds or the connection was lost after it was sent, and `Disconnected` when
        the connection stayed down, so that nothing was sent. A message without an id gets a random one.
        """
        await self._now().publisher.publish(
            message, exchange=exchange, routing_key=routing_key, confirm_timeout=confirm_timeout
        )

    def consume(self, queue_name: str, *, prefetch: int) -> AbstractAsyncContextManager[RabbitMQSubscription]:
        """Take deliveries of the queue. Leaving the context closes the channel: what is unsettled goes back.

        Entering raises `NotDeclared` when there is no such queue, `Disconnected` during an outage,
        `BrokerRefused` without permission, and `InvalidSetting` for a prefetch below 1, which AMQP would take
        for "no bound".
        """
        return self._consume(queue_name, prefetch)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """End the delivery. Raises `Disconnected` when its channel is closed or it was settled before."""
        await self._channels.settle(delivery, settlement)

    def is_open(self, delivery: Delivery) -> bool:
        """Whether the channel that handed it out is open, as far as is known."""
        return self._channels.is_open(delivery.channel)

    async def close_channel_of(self, delivery: Delivery) -> None:
        """Close the channel that handed it out, as a lost connection would: what is unsettled goes back.

        For rehearsals: its subscription goes on by itself, on a new channel.
        """
        await self._channels.close_numbered(delivery.channel)

    @asynccontextmanager
    async def _channel_for_a_moment(self) -> AsyncIterator[AbstractChannel]:
        channel = await self._now().consuming.channel()
        try:
            yield channel
        finally:
            await self._errands.run(close_channel(channel))

    @asynccontextmanager
    async def _consume(self, queue_name: str, prefetch: int) -> AsyncIterator[RabbitMQSubscription]:
        if not 1 <= prefetch <= _LARGEST_PREFETCH:
            raise InvalidSetting(
                "prefetch", "argument", f"{prefetch} is not between 1 and {_LARGEST_PREFETCH}"
            )
        subscription = RabbitMQSubscription(
            queue_name,
            prefetch=prefetch,
            link=self._now().consuming,
            channels=self._channels,
            backoff=self._backoff,
            counters=self._counters,
            restore=self._restore,
        )
        await subscription.open()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            await self._errands.run(subscription.close())

    async def _restore(self, queue_name: str) -> None:
        needed = self._declared.of_queue(queue_name)
        if needed.queues:
            async with self._channel_for_a_moment() as channel:
                await declare(channel, needed)

    def _now(self) -> _Connected:
        if self._connected is None:
            raise Disconnected(f"The connection to {self.url}")
        return self._connected

    async def _connect(self) -> _Connected:
        publishing, consuming = (
            Link(self._address, purpose=purpose, backoff=self._backoff, counters=self._counters)
            for purpose in ("publishing", "consuming")
        )
        publisher = Publisher(publishing, self._errands, channels=self._publish_channels)
        connected = _Connected(publishing, consuming, publisher)
        try:
            with anyio.move_on_after(self._connect_timeout):
                await connected.opened()
                return connected
            problem = publishing.problem or consuming.problem
            raise BrokerUnreachable(self.url, problem or no_greeting_within(self._connect_timeout or 0.0))
        except BaseException:
            await self._errands.run(connected.close())
            raise

    async def _close(self, connected: _Connected) -> None:
        for subscription in list(self._subscriptions):
            await subscription.end()
        await connected.close()
