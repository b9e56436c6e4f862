"""Connections to Redis or Valkey, and the exchange of commands for replies over them.

Owns how connections are made and lent out, and what a broken one means for the commands sent on it.
Knows no key and no command. Never sends a command twice: redis-py's own retries, which made eleven
copies of one append, are off; whoever asked decides about trying again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, Self, cast

import anyio
from msgspec import Struct, field
from msgspec.structs import replace
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from relayna.errors import InvalidSetting, StoreError
from relayna.store_url import Endpoint
from relayna.streams.redis.confirmation import Confirmation
from relayna.streams.redis.failures import DRIVER_ERRORS, REFUSALS, Failed, masked_url, translated
from relayna.streams.redis.greeting import Part, greeting
from relayna.streams.redis.replies import Command, Reply
from relayna.streams.redis.wire import portions

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
        self._pool = cast(
            "_Pool",
            BlockingConnectionPool(
                max_connections=connections,
                timeout=_SECONDS_TO_WAIT_FOR_A_CONNECTION,
                connection_class=settings.connection_class,
                redis_connect_func=part and _counted(greeting(part, settings.url), settings.count),
                **settings.options,
            ),
        )

    async def exchange(self, commands: Sequence[Command]) -> list[Reply]:
        """Send all commands in one go; a reply for each, in order. Never raises for a store that fails."""
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
        await self._pool.aclose()

    async def retire(self) -> None:
        """Close the connections as soon as nobody waits for a reply on one."""
        self._retired = True
        if not self._exchanges:
            with anyio.CancelScope(shield=True):
                await self._pool.aclose()

    async def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        try:
            connection = await self._pool.get_connection()
        except StoreError as error:  # what its greeting found
            return [Failed(error)] * len(commands)
        except DRIVER_ERRORS as error:
            return [Failed(translated(error, command="the connection", url=self.url))] * len(commands)
        answers: list[Reply] = []
        try:
            for portion in portions(commands):
                await connection.send_packed_command(portion, check_health=False)
            for command in commands:
                answers.append(await self._reply(connection, str(command[0])))
        except DRIVER_ERRORS as error:
            silence = Failed(translated(error, command="the request", url=self.url), outcome_unknown=True)
            return answers + [silence] * (len(commands) - len(answers))
        finally:
            await self._give_back(connection, in_step=len(answers) == len(commands))
        return answers

    async def _reply(self, connection: _Connection, command: str) -> Reply:
        try:
            reply = await connection.read_response(disconnect_on_error=False)
        except REFUSALS as error:
            return Failed(translated(error, command=command, url=self.url))
        return (
            self._without_driver_errors(reply, command) if isinstance(reply, list) else cast("Reply", reply)
        )

    def _without_driver_errors(self, replies: list[object], command: str) -> list[Reply]:
        # Errors inside a transaction's reply come as values; only its first level can hold any.
        return [
            Failed(translated(reply, command=command, url=self.url))
            if isinstance(reply, Exception)
            else cast("Reply", reply)
            for reply in replies
        ]

    async def _give_back(self, connection: _Connection, *, in_step: bool) -> None:
        with anyio.CancelScope(shield=True):
            if not in_step:  # a reply that is still to come would answer the next command
                await connection.disconnect(nowait=True)
            await self._pool.release(connection)


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


class _Connection(Protocol):
    """The part of redis-py's connection that is used here; its own annotations are incomplete."""

    async def send_packed_command(self, command: bytes, check_health: bool) -> None: ...

    async def read_response(self, *, disconnect_on_error: bool) -> object: ...

    async def disconnect(self, nowait: bool) -> None: ...


class _Pool(Protocol):
    """The part of redis-py's pool that is used here."""

    async def get_connection(self) -> _Connection: ...

    async def release(self, connection: _Connection) -> None: ...

    async def aclose(self) -> None: ...
