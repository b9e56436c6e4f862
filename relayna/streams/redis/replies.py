"""The shapes of what is sent to a server and of what comes back. Owns the names only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from relayna.streams.redis.failures import Failed

__all__ = ["Command", "Packed", "Reply"]


class Packed(Struct, frozen=True, gc=False):
    """Arguments that are spelled already as the server reads them (`commands.py`)."""

    count: int
    data: bytes


Command: TypeAlias = Sequence[bytes | str | int | Packed]
"""A command's name and arguments; text is sent as UTF-8."""

Reply: TypeAlias = "bytes | int | list[Reply] | Failed | None"
"""What the server answered; `Failed` where it refused or was not heard, also inside a list."""
