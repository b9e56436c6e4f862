"""Commands as the server reads them (RESP, https://redis.io/docs/latest/develop/reference/protocol-spec/).

Owns how they are spelled, and in what portions they are sent. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import hiredis

from relayna.streams.redis.replies import Command, Packed

__all__ = ["pack", "packed_argument", "portions"]

_SHORT: Final = 8
"""Arguments: as many as any command has that reads."""
_PORTION_BYTES: Final = 64 * 1024
"""The server works on one portion while we pack the next."""


def pack(commands: Sequence[Command]) -> bytes:
    """The commands, one after the other.

    >>> pack([("GET", "a")])
    b'*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n'
    """
    return b"".join(portions(commands))


def portions(commands: Sequence[Command]) -> Iterator[bytes]:
    """The same in pieces, each of whole commands."""
    parts: list[bytes] = []
    size = 0
    for command in commands:
        if (short := _packed_shortly(command)) is not None:
            parts.append(short)
            size += len(short)
            continue
        at, count = len(parts), 0
        parts.append(b"")
        for argument in command:
            if isinstance(argument, Packed):
                data, arguments = argument.data, argument.count
            else:
                data, arguments = packed_argument(argument), 1
            parts.append(data)
            size, count = size + len(data), count + arguments
        parts[at] = b"*%d\r\n" % count
        if size >= _PORTION_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def _packed_shortly(command: Command) -> bytes | None:
    """A short command by the driver's own hand; nothing where that cannot spell it."""
    if len(command) > _SHORT:
        return None
    try:
        packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type] # its stub allows one argument
        return packed
    except (TypeError, UnicodeEncodeError):  # an argument that is packed already, or text that is no UTF-8
        return None


def packed_argument(argument: bytes | str | int) -> bytes:
    """One argument; text as UTF-8.

    >>> packed_argument("a")
    b'$1\\r\\na\\r\\n'
    """
    data = argument if isinstance(argument, bytes) else str(argument).encode(errors="surrogatepass")
    return b"$%d\r\n%b\r\n" % (len(data), data)
