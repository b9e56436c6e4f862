"""Declarations as RabbitMQ takes them: which arguments make a queue, and what its refusals mean.

Owns the arguments, and deleting too. A queue that gives messages to a dead-letter exchange gives them away only when the
target has confirmed them (`at-least-once`, RabbitMQ 3.10): retry and dead-letter hops lose nothing.
"""

from __future__ import annotations

from typing import Any

import aio_pika
from aio_pika import exceptions as driver

from relayna.consumer.rabbitmq.calls import answered
from relayna.consumer.rabbitmq.failures import DRIVER_ERRORS, problem_of
from relayna.errors import BrokerError, BrokerRefused, ConfigurationMismatch, Disconnected, NotDeclared
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue

__all__ = ["declare", "delete", "queue_arguments"]


async def declare(channel: aio_pika.abc.AbstractChannel, declarations: Declarations) -> None:
    """Make it exist, one by one, up to the first thing that cannot; that one closes the channel.

    Raises `ConfigurationMismatch`, `NotDeclared`, `BrokerRefused` and `Disconnected`.
    """
    for exchange in declarations.exchanges:
        await _declare_exchange(channel, exchange)
    for queue in declarations.queues:
        await _declare_queue(channel, queue)
    for binding in declarations.bindings:
        await _bind(channel, binding)


async def delete(channel: aio_pika.abc.AbstractChannel, declarations: Declarations) -> None:
    """Make none of it exist, messages and all; what is not there is left so.

    Raises `BrokerRefused` and `Disconnected`.
    """
    underlying = await channel.get_underlay_channel()
    try:
        for queue in declarations.queues:
            await answered(underlying.queue_delete(queue.name))
        for exchange in declarations.exchanges:
            await answered(underlying.exchange_delete(exchange.name))
    except DRIVER_ERRORS as error:
        raise _refusal(error, _names(declarations), doing="deleting") from error


def queue_arguments(queue: Queue) -> dict[str, str | int]:
    """The `x-` arguments of a queue (https://www.rabbitmq.com/docs/quorum-queues).

    >>> queue_arguments(Queue(name="dead"))
    {'x-queue-type': 'quorum'}
    """
    arguments: dict[str, str | int | None] = {
        "x-queue-type": queue.kind,
        "x-message-ttl": queue.message_ttl_ms,
        "x-dead-letter-exchange": queue.dead_letter_exchange,
        "x-dead-letter-routing-key": queue.dead_letter_routing_key,
        "x-delivery-limit": queue.delivery_limit,
        "x-max-priority": queue.max_priority,
        "x-max-length": queue.max_length,
    }
    if queue.kind == "quorum" and queue.dead_letter_exchange is not None:
        arguments["x-dead-letter-strategy"] = "at-least-once"
        arguments["x-overflow"] = "reject-publish"  # the strategy asks for it
    return {name: value for name, value in arguments.items() if value is not None}


async def _declare_exchange(channel: aio_pika.abc.AbstractChannel, exchange: Exchange) -> None:
    if exchange.name == "":
        raise ConfigurationMismatch(
            exchange.name, "the default exchange is there already and cannot be declared"
        )
    try:
        await answered(channel.declare_exchange(exchange.name, exchange.kind, durable=True))
    except DRIVER_ERRORS as error:
        refusal = _refusal(error, exchange.name)
        raise refusal from _cause(error, refusal)


async def _declare_queue(channel: aio_pika.abc.AbstractChannel, queue: Queue) -> None:
    arguments: dict[str, Any] = {**queue_arguments(queue)}  # Any: the driver's own word for it
    try:
        await answered(channel.declare_queue(queue.name, durable=True, arguments=arguments))
    except DRIVER_ERRORS as error:
        refusal = _refusal(error, queue.name)
        raise refusal from _cause(error, refusal)


async def _bind(channel: aio_pika.abc.AbstractChannel, binding: Binding) -> None:
    if binding.exchange == "":
        raise ConfigurationMismatch(binding.exchange, "the default exchange binds every queue by its name")
    underlying = await channel.get_underlay_channel()
    bind = underlying.queue_bind(
        binding.queue, binding.exchange, binding.routing_key, arguments=dict(binding.arguments)
    )
    try:
        await answered(bind)
    except driver.ChannelNotFoundEntity as error:
        missing = "exchange" if "no exchange" in problem_of(error) else "queue"
        raise NotDeclared(missing, getattr(binding, missing)) from error
    except DRIVER_ERRORS as error:
        raise _refusal(error, binding.queue) from error


def _names(declarations: Declarations) -> str:
    queues = [queue.name for queue in declarations.queues]
    return ", ".join(queues + [exchange.name for exchange in declarations.exchanges])


def _cause(error: Exception, refusal: BrokerError) -> Exception | None:
    """What a reader may need beside the refusal: of a mismatch, the refusal says all that the broker said."""
    return None if isinstance(refusal, ConfigurationMismatch) else error


def _refusal(error: Exception, name: str, *, doing: str = "declaring") -> BrokerError:
    problem = problem_of(error)
    if isinstance(error, driver.ChannelPreconditionFailed) or "RESOURCE_LOCKED" in problem:
        return ConfigurationMismatch(name, problem)
    if "ACCESS_REFUSED" in problem:
        return BrokerRefused(f"{doing} {name!r}", problem)
    return Disconnected(f"The connection, while {doing} {name!r} ({problem}),")
