"""Publishing with confirms, each message alone on a channel.

Owns the pool of channels and what an answer, or its absence, means for the message. One message a channel
at a time, because channels spread harm: a publish to an exchange that does not exist closes its channel and
takes the unconfirmed neighbours along, and the driver finds a returned message by its message id, so two
of one id in flight would be taken for each other. Waits for a connection that is down, and never publishes twice.
"""

from __future__ import annotations

import logging
from typing import Final

import anyio
from aio_pika import exceptions as driver
from aio_pika.abc import AbstractChannel
from aiormq import spec

from relayna.consumer.broker import Message
from relayna.consumer.memory.message import check_short_string
from relayna.consumer.rabbitmq.calls import in_place
from relayna.consumer.rabbitmq.errands import Errands
from relayna.consumer.rabbitmq.failures import DRIVER_ERRORS, problem_of
from relayna.consumer.rabbitmq.link import Link, close_channel
from relayna.consumer.rabbitmq.message import outgoing_properties
from relayna.errors import (
    BrokerError,
    BrokerRefused,
    Disconnected,
    InvalidMessage,
    OutcomeUnknown,
    PublishRefused,
    Unroutable,
)

__all__ = ["Publisher"]

_CHANNEL_SURVIVES: Final = (driver.DeliveryError, TypeError, ValueError, OverflowError)
"""After these nothing is under way on the channel: an answer came, or nothing was sent."""

_log: Final = logging.getLogger("relayna.broker")


class Publisher:
    """Publishes over one link, at most `channels` messages at a time; more wait for their turn."""

    def __init__(self, link: Link, errands: Errands, *, channels: int) -> None:
        self._link = link
        self._errands = errands
        self._turns = anyio.Semaphore(channels, fast_acquire=True)
        self._idle: list[AbstractChannel] = []

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float
    ) -> None:
        """Return when a queue holds the message. The whole of it takes at most `confirm_timeout` seconds.

        While the connection is down it waits: nothing is sent then, so there is nothing to be in doubt about.
        Raises as `Broker.publish` does.
        """
        check_short_string("exchange", exchange)
        check_short_string("routing_key", routing_key)
        properties = outgoing_properties(message)
        began, sent = anyio.current_time(), False
        with anyio.move_on_after(confirm_timeout):
            async with self._turns:
                while True:
                    channel = await self._channel()
                    sent = True
                    try:
                        await self._publish_on(channel, message.body, exchange, routing_key, properties)
                    except driver.ChannelInvalidStateError:
                        sent = False  # it was closed before: another one
                        continue
                    except (*_CHANNEL_SURVIVES, *DRIVER_ERRORS) as error:
                        raise _failure(error, exchange, routing_key, anyio.current_time() - began) from error
                    return
        if sent or self._link.is_up:
            raise OutcomeUnknown(exchange, routing_key, confirm_timeout)
        raise Disconnected(
            f"The connection for publishing (down for {confirm_timeout:g} s: nothing was sent)"
        )

    async def _publish_on(
        self,
        channel: AbstractChannel,
        body: bytes,
        exchange: str,
        routing_key: str,
        properties: spec.Basic.Properties,
    ) -> None:
        done = False
        try:
            await in_place(_confirmed(channel, body, exchange, routing_key, properties))
            done = True
        except _CHANNEL_SURVIVES:
            done = True
            raise
        finally:
            if done and not channel.is_closed:
                self._idle.append(channel)
            else:
                # Its confirm may still come, and nobody waits for it.
                self._errands.send(close_channel(channel))

    async def _channel(self) -> AbstractChannel:
        while self._idle:
            channel = self._idle.pop()
            if not channel.is_closed:
                return channel
        return await self._link.channel_when_up(confirms=True)


async def _confirmed(
    channel: AbstractChannel, body: bytes, exchange: str, key: str, properties: spec.Basic.Properties
) -> None:
    underlying = await channel.get_underlay_channel()
    # Its confirm says that it was sent; to wait for that first would be another future of the driver's.
    await underlying.basic_publish(
        body,
        exchange=exchange,
        routing_key=key,
        properties=properties,
        mandatory=True,
        wait=False,  # type: ignore[call-arg]  # all of the driver's channels take it, and its protocol does not say so
    )


def _failure(error: Exception, exchange: str, routing_key: str, seconds: float) -> BrokerError:
    match error:
        case driver.PublishError() | driver.ChannelNotFoundEntity():
            return Unroutable(exchange, routing_key)
        case driver.DeliveryError():
            return PublishRefused(exchange, routing_key)
        case driver.ChannelPreconditionFailed():
            return InvalidMessage("body", f"RabbitMQ will not have it: {problem_of(error)}.")
        case driver.AMQPChannelError() if "ACCESS_REFUSED" in problem_of(error):
            return BrokerRefused(f"publishing to exchange {exchange!r}", problem_of(error))
        case TypeError() | ValueError() | OverflowError():
            return InvalidMessage("headers", f"the AMQP client cannot write them: {error}.")
        case _:
            # Many at once when a connection goes; whoever asked is told of each.
            _log.info("A publish to %r was cut off: %s", exchange, problem_of(error))
            return OutcomeUnknown(exchange, routing_key, seconds, problem=problem_of(error))
