"""Connections to Redis or Valkey, and the exchange of commands for replies over them.

Owns how connections are made and lent out, and what a broken one means for the commands sent on it.
Knows no key and no command. Never sends a command twice: redis-py's own retries, which made eleven
copies of one append, are off; whoever asked decides about trying again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self, cast

import anyio
from msgspec import Struct, field
from msgspec.structs import replace
from redis.asyncio import ConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from relayna.errors import InvalidSetting, StoreError, StoreRefused
from relayna.store_url import Endpoint
from relayna.streams.redis.commands import portions
from relayna.streams.redis.confirmation import Confirmation
from relayna.streams.redis.connections import Connections
from relayna.streams.redis.failures import DRIVER_ERRORS, Failed, masked_url, translated
from relayna.streams.redis.greeting import Part, greeting
from relayna.streams.redis.replies import Command, Reply
from relayna.streams.redis.wire import Connection, Refusal

__all__ = ["Command", "ConnectionCount", "ConnectionSettings", "Reply", "StoreClient"]

_SECONDS_TO_CONNECT = 2.0
_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_WAIT_FOR_A_CONNECTION = 5.0

# What a client handed in lends; anything else in it (retries, decoding, pools) stays its own affair.
_LENT = frozenset(
    {"client_name", "credential_provider", "db", "host", "password", "path", "port", "username"}
)
_LENT_PREFIXES = ("socket_", "ssl_")


class ConnectionCount(Struct):
    """How many connections were made: when it grows, another server may be at the other end."""

    made: int = 0


class ConnectionSettings(Struct, frozen=True):
    """How to connect, and where to as errors may say it."""

    connection_class: type
    options: Mapping[str, Any]
    """Arguments of the connection class, which takes what it likes."""
    url: str
    """Credentials masked."""
    count: ConnectionCount = field(default_factory=ConnectionCount)
    """Of all that are made with these settings, to whatever place."""
    confirmation: Confirmation | None = None
    """What is asked of a server after each script, on the same connection."""

    @classmethod
    def of(cls, url_or_client: str | Redis) -> Self:
        """From `redis://`, `rediss://` or `unix://`, or from a client, which is used for nothing else.

        Raises `InvalidSetting`.
        """
        pool = _pool_of(url_or_client)
        return cls.lent(pool.connection_class, pool.connection_kwargs)

    @classmethod
    def lent(cls, connection_class: type, lender: Mapping[str, Any]) -> Self:  # Any: the driver's own options
        """What we use of the options of somebody's connections. Raises `InvalidSetting`."""
        given = {
            name: value
            for name, value in lender.items()
            if value is not None and (name in _LENT or name.startswith(_LENT_PREFIXES))
        }
        options = {
            "socket_connect_timeout": _SECONDS_TO_CONNECT,
            "socket_timeout": _SECONDS_TO_ANSWER,
            "health_check_interval": 0,
            **given,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "decode_responses": False,
        }
        try:
            connection_class(**options)
        except (KeyError, TypeError):
            kind = connection_class.__name__
            raise InvalidSetting(
                "redis_url",
                "argument",
                f"{kind} connections cannot be made from a client handed in; pass a URL",
            ) from None
        return cls(connection_class, options, _shown(connection_class, given))

    def at(self, endpoint: Endpoint, **options: object) -> Self:
        """The same connections to another place, with some options changed."""
        changed = {**self.options, "host": endpoint.host, "port": endpoint.port, **options}
        return replace(self, options=changed, url=_shown(self.connection_class, changed))


class StoreClient:
    """A bounded pool of connections of its own; whoever finds none free waits, up to 5 s."""

    def __init__(
        self, settings: ConnectionSettings, *, connections: int, part: Part | None = "single"
    ) -> None:
        """Connects to nothing yet; without a `part` a connection is not asked what it leads to."""
        self.url = settings.url
        self._exchanges = 0
        self._retired = False
        self._confirmation = settings.confirmation
        options = dict(settings.options)
        if part is not None:
            options["redis_connect_func"] = _counted(greeting(part, settings.url), settings.count)

        def make() -> Connection:
            return cast("Connection", settings.connection_class(**options))

        self._connections = Connections(
            make,
            most=connections,
            wait_seconds=_SECONDS_TO_WAIT_FOR_A_CONNECTION,
            silence_seconds=options.get("socket_timeout"),
        )

    async def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """Send all commands in one go; a reply for each, in order. Never raises for a store that fails."""
        if not commands:
            return []
        self._exchanges += 1
        confirmation = self._confirmation
        try:
            if confirmation is None or not confirmation.is_wanted(commands):
                return await self._exchange(commands)
            *answers, word = await self._exchange([*commands, confirmation.command])
            return confirmation.judged(answers, word)
        finally:
            self._exchanges -= 1
            if self._retired:
                await self.retire()

    async def ask(self, *command: bytes | str | int) -> Reply:
        """The reply to one command. Raises `StoreUnreachable` or `StoreRefused`."""
        (answer,) = await self.exchange([command])
        if isinstance(answer, Failed):
            raise answer.error
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def retire(self) -> None:
        """Close the connections as soon as nobody waits for a reply on one."""
        self._retired = True
        if not self._exchanges:
            with anyio.CancelScope(shield=True):
                await self._connections.aclose()

    async def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        try:
            wire = await self._connections.lend()
        except StoreError as error:  # what its greeting found
            return [Failed(error)] * len(commands)
        except DRIVER_ERRORS as error:
            return [Failed(translated(error, command="the connection", url=self.url))] * len(commands)
        said: list[object] = []
        try:
            await wire.exchange(portions(commands), said, wanted=len(commands))
        except DRIVER_ERRORS as error:
            silence = Failed(translated(error, command="the request", url=self.url), outcome_unknown=True)
            return [*_replies(commands, said), *[silence] * (len(commands) - len(said))]
        finally:
            await self._connections.take_back(wire)
        return _replies(commands, said)


def _replies(commands: Sequence[Command], said: Sequence[object]) -> list[Reply]:
    """What the server said, with `Failed` where that was no."""
    replies: list[Reply] = []
    for command, reply in zip(commands, said, strict=False):
        if isinstance(reply, list):
            # Refusals inside a transaction's reply come as values; only its first level can hold any.
            replies.append([_failed(part, command) if type(part) is Refusal else part for part in reply])
        elif type(reply) is Refusal:
            replies.append(_failed(reply, command))
        else:
            replies.append(cast("Reply", reply))
    return replies


def _failed(refusal: Refusal, command: Command) -> Failed:
    return Failed(StoreRefused(str(command[0]), str(refusal)))


def _counted(
    greet: Callable[[object], Awaitable[None]], count: ConnectionCount
) -> Callable[[object], Awaitable[None]]:
    async def greet_and_count(connection: object) -> None:
        count.made += 1
        await greet(connection)

    return greet_and_count


def _shown(connection_class: type, options: Mapping[str, object]) -> str:
    return masked_url(options, secure=issubclass(connection_class, SSLConnection))


def _pool_of(url_or_client: object) -> ConnectionPool:
    if isinstance(url_or_client, Redis):
        return url_or_client.connection_pool
    if not isinstance(url_or_client, str):
        kind = type(url_or_client).__name__
        raise InvalidSetting("redis_url", "argument", f"a {kind} is neither a URL nor a redis.asyncio.Redis")
    try:
        pool = ConnectionPool.from_url(url_or_client)
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError):
        # The driver's sentence may quote a piece of the password; so it is not passed on.
        raise InvalidSetting(
            "redis_url",
            "argument",
            "not a redis://, rediss:// or unix:// URL with options that redis-py knows",
        ) from None
    return pool
