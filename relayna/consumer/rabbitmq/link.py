"""One connection to RabbitMQ that is kept up.

Owns connecting, noticing that a connection is gone, and connecting again. Opens channels for those who ask;
what they do with them is theirs. The driver's own reconnecting connection is not used: it brings channels
and consumers back behind the caller's back, and its deliveries cannot be told from those of the lost
channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import Any, Final

import aio_pika
import anyio
from aio_pika.abc import AbstractChannel, AbstractConnection
from msgspec import Struct
from yarl import URL

from relayna.consumer.rabbitmq.calls import answered, isolated
from relayna.consumer.rabbitmq.failures import (
    CONNECT_ERRORS,
    DRIVER_ERRORS,
    connect_problem,
    connection_failure,
    problem_of,
)
from relayna.consumer.rabbitmq.pace import Pace
from relayna.errors import BrokerError, BrokerRefused, Disconnected, InvalidSetting, InvalidTopology
from relayna.signals import Counters
from relayna.streams.recording.backoff import Backoff
from relayna.topologies.amqp_url import check_amqp_url, masked_amqp_url

__all__ = ["Address", "Link", "close_channel"]

_SECONDS_TO_CONNECT = 10.0
_SECONDS_TO_CLOSE = 5.0

_log: Final = logging.getLogger("relayna.broker")


class Address(Struct, frozen=True):
    """Where the broker is, and how to go there. Never shown: it holds the credentials."""

    url: str
    heartbeat_seconds: int
    ssl_context: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str, *, heartbeat_seconds: int, ssl_context: ssl.SSLContext | None) -> Address:
        """From `amqp://` or `amqps://`; a `heartbeat` in the URL goes first. Raises `InvalidSetting`."""
        try:
            check_amqp_url("url", url)
            URL(url)
        except InvalidTopology as error:
            raise InvalidSetting("url", "argument", error.problem) from None
        except ValueError:  # its text repeats the URL
            raise InvalidSetting("url", "argument", "it is not a URL that the AMQP client takes") from None
        if heartbeat_seconds < 1:
            raise InvalidSetting(
                "heartbeat_seconds", "argument", f"{heartbeat_seconds} is less than a second"
            )
        return cls(url, heartbeat_seconds, ssl_context)

    @property
    def shown(self) -> str:
        """The URL, credentials masked."""
        return masked_amqp_url(self.url)

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # Any: msgspec's own signature
        """Without credentials: tracebacks show local variables."""
        return [("url", self.shown)]

    def __repr__(self) -> str:
        """Without credentials."""
        return f"Address({self.shown!r})"

    async def connect(self, purpose: str) -> AbstractConnection:
        """A new connection. Raises the driver's errors."""
        defaults: dict[str, str | int] = {"heartbeat": self.heartbeat_seconds, "name": f"relayna {purpose}"}
        url = URL(self.url)
        url = url.update_query({name: value for name, value in defaults.items() if name not in url.query})
        connection = await aio_pika.connect(url, ssl_context=self.ssl_context, timeout=_SECONDS_TO_CONNECT)
        # The driver writes the URL into its log: from here on it has one without credentials.
        connection.url = URL(self.shown)
        if connection.transport is not None:
            connection.transport.connection.url = connection.url
        return connection


class Link:
    """Up or down. Make it in the event loop that it is to run in; `close` ends it."""

    def __init__(self, address: Address, *, purpose: str, backoff: Backoff, counters: Counters) -> None:
        self._address = address
        self._purpose = purpose
        self._counters = counters
        self._pace = Pace(backoff)
        self._connection: AbstractConnection | None = None
        self._refusal: BrokerRefused | None = None
        self._has_been_up = False
        self._told = False
        self.problem: str | None = None
        """Why the last try to connect failed, while it is down for that."""
        self._change = anyio.Event()
        self._closed = False
        # A task of its own, not of a task group: the broker's users come and go in any order.
        self._task = asyncio.create_task(self._keep_up(), name=f"relayna.broker.{purpose}")

    @property
    def is_up(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    async def opened(self) -> None:
        """Return when it is first up. Raises `BrokerRefused` when it is refused instead."""
        while self._connection is None:
            if self._refusal is not None:
                raise self._refusal
            await self._change.wait()

    async def up(self) -> None:
        """Return when it is up."""
        while self._connection is None:
            await self._change.wait()

    async def channel(self, *, confirms: bool = False) -> AbstractChannel:
        """A new channel. Raises `Disconnected`."""
        if self._connection is None:
            raise Disconnected(f"The connection to {self._address.shown}")
        try:
            channel = self._connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
            await answered(channel.initialize())
        except DRIVER_ERRORS as error:
            raise Disconnected(
                f"The connection to {self._address.shown} ({self._problem_of(error)})"
            ) from error
        return channel

    async def channel_when_up(self, *, confirms: bool = False) -> AbstractChannel:
        """A new channel, as soon as there is a connection. Raises `Disconnected` after `close`."""
        while not self._closed:
            connection = self._connection
            if connection is not None:
                with contextlib.suppress(Disconnected):
                    return await self.channel(confirms=confirms)
            # One that gives no channel is on its way down: RabbitMQ closes a connection over each that it refuses.
            while self._connection is connection and not self._closed:
                await self._change.wait()
        raise Disconnected(f"The connection to {self._address.shown}")

    async def close(self) -> None:
        """Close the connection, and connect no more."""
        self._task.cancel()
        await asyncio.wait({self._task})
        connection, self._connection = self._connection, None
        self._closed = True
        self._changed()
        if connection is not None:
            await _close(connection)

    async def _keep_up(self) -> None:
        while True:
            await self._pace.next_try()
            lost = asyncio.Event()
            try:
                connection = await isolated(self._address.connect(self._purpose))
            except CONNECT_ERRORS as error:
                self._not_connected(error)
                continue
            connection.close_callbacks.add(lambda *_, lost=lost: lost.set())
            self._connected(connection)
            if connection.transport is not None and not connection.transport.connection.is_closed:
                await lost.wait()
            self._lost()
            await _close(connection)

    def _connected(self, connection: AbstractConnection) -> None:
        if self._told:
            _log.warning("Connected to %s for %s again", self._address.shown, self._purpose)
        else:
            _log.info("Connected to %s for %s", self._address.shown, self._purpose)
        self._pace.succeeded()
        self._has_been_up, self._told = True, False
        self._refusal = self.problem = None
        self._connection = connection
        self._changed()

    def _not_connected(self, error: Exception) -> None:
        self._pace.failed()
        failure = self._failure(error)
        self._refusal = failure if isinstance(failure, BrokerRefused) else None
        self.problem = self._refusal.problem if self._refusal is not None else self._why_not(error)
        self._counters.increment("relayna_broker_connections_failed_total", source=self._purpose)
        if self._refusal is None or self._has_been_up:  # else whoever enters is told, and gives up
            self._told = True
            _log.warning(
                "Cannot connect to %s for %s, and keep trying: %s",
                self._address.shown,
                self._purpose,
                self.problem,
            )
        self._changed()

    def _lost(self) -> None:
        self._pace.failed()
        self._connection = None
        self._told = True
        self._counters.increment("relayna_broker_connections_lost_total", source=self._purpose)
        _log.warning(
            "The connection to %s for %s is lost; connecting again", self._address.shown, self._purpose
        )
        self._changed()

    def _failure(self, error: Exception) -> BrokerError:
        return connection_failure(error, url=self._address.url, user=URL(self._address.url).user)

    def _why_not(self, error: Exception) -> str:
        user = URL(self._address.url).user
        return connect_problem(error, seconds=_SECONDS_TO_CONNECT, user=user)

    def _problem_of(self, error: Exception) -> str:
        return problem_of(error, user=URL(self._address.url).user)

    def _changed(self) -> None:
        self._change.set()
        self._change = anyio.Event()


async def close_channel(channel: AbstractChannel) -> None:
    """Close it, within 5 s; raises nothing."""
    if not channel.is_closed:
        with anyio.move_on_after(_SECONDS_TO_CLOSE), contextlib.suppress(*DRIVER_ERRORS):
            await isolated(channel.close())


async def _close(connection: AbstractConnection) -> None:
    # Bounded: on a connection that nobody reads the driver waits for its words to be taken.
    with anyio.move_on_after(_SECONDS_TO_CLOSE), contextlib.suppress(*DRIVER_ERRORS):
        await isolated(connection.close())
