"""What each new connection asks its server before anyone uses it: how old it is, and what part it plays.

Owns the judgement of `HELLO`. As it is asked on every connection, a server that was exchanged for another
behind the same address is found out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, Protocol, TypeAlias, cast

from relayna.errors import StoreRefused
from relayna.streams.redis.failures import REFUSALS, translated

__all__ = ["Part", "check_part", "check_version", "greeting"]

Part: TypeAlias = Literal["single", "node", "master"]
"""What a server should be: on its own, of a cluster, or the master of a service."""

_WRONG_MODES: Final[Mapping[tuple[Part, bytes], str]] = {
    ("single", b"cluster"): "it is a node of a cluster; write redis+cluster:// instead of redis://",
    ("single", b"sentinel"): "it is a sentinel; write redis+sentinel://HOST:PORT/SERVICE instead of redis://",
    ("master", b"sentinel"): "it is a sentinel, not the master that one was to name",
    ("node", b"standalone"): "it is not a node of a cluster; write redis:// instead of redis+cluster://",
}


class GreetedConnection(Protocol):
    """The part of redis-py's connection that is used here."""

    async def on_connect(self) -> None: ...

    async def send_command(self, *arguments: str) -> None: ...

    async def read_response(self) -> object: ...

    async def disconnect(self, nowait: bool) -> None: ...


def greeting(part: Part, url: str) -> Callable[[object], Awaitable[None]]:
    """What redis-py is to call with each connection that it has made, as its `redis_connect_func`."""

    async def greet(connected: object) -> None:
        connection = cast("GreetedConnection", connected)
        try:
            await connection.on_connect()
            await connection.send_command("HELLO")
            facts = _facts(await connection.read_response())
            check_version(facts)
            check_part(facts, part)
        except REFUSALS as error:
            await connection.disconnect(nowait=True)
            raise translated(error, command="HELLO", url=url) from None
        except (
            BaseException
        ):  # also when cancelled: a reply that is still to come would answer the next command
            await connection.disconnect(nowait=True)
            raise

    return greet


def check_version(hello: object) -> None:
    """Refuse a server that lacks `PEXPIRE … GT` and `entries-added`. Raises `StoreRefused`.

    >>> check_version([b"server", b"redis", b"version", b"7.0.15"])
    """
    version = _facts(hello).get(b"version")
    major = version.partition(b".")[0] if isinstance(version, bytes) else b""
    if not major.isdigit() or int(major) < 7:
        raise StoreRefused("HELLO", f"its version is {version!r}; relayna needs Redis 7.0 or any Valkey")


def check_part(hello: object, part: Part) -> None:
    """Refuse a server that is not what its URL says. Raises `StoreRefused`.

    >>> check_part([b"mode", b"standalone", b"role", b"replica"], "single")
    """
    facts = _facts(hello)
    mode, role = facts.get(b"mode"), facts.get(b"role")
    if isinstance(mode, bytes) and (problem := _WRONG_MODES.get((part, mode))):
        raise StoreRefused("HELLO", problem)
    if part == "master" and role != b"master":
        raise StoreRefused("HELLO", "READONLY it is not the master of its service, or no longer")


def _facts(hello: object) -> Mapping[object, object]:
    if isinstance(hello, Mapping):
        return hello
    facts = hello if isinstance(hello, list) else []
    return dict(zip(facts[::2], facts[1::2], strict=False))
