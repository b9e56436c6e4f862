"""Where the frames of each task go, spelled as the server reads it.

Owns the memory of the last tasks' places: live tasks are appended to again and again, and the hash and the
percent-encoding of an id are the dear part of a small append.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from msgspec import Struct

from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.redis.commands import packed_argument

__all__ = ["Place", "Places", "feed_reference"]

_MOST: Final = 8192


class Place(Struct, frozen=True, eq=False, gc=False):
    """Of one task."""

    address: TaskAddress
    shard: int
    stream: bytes
    """The stream's key, packed."""
    reference: bytes
    """What the shard's feed says of it, packed."""


class Places:
    """The places under one grammar of keys. Safe to use from any thread."""

    def __init__(self, keys: KeyGrammar) -> None:
        self._keys = keys
        self.of: Callable[[TaskAddress], Place] = lru_cache(maxsize=_MOST)(self._spelled)
        """The place of a task."""

    def _spelled(self, address: TaskAddress) -> Place:
        return Place(
            address,
            self._keys.shard_of(address),
            packed_argument(self._keys.events(address)),
            packed_argument(feed_reference(address)),
        )


def feed_reference(address: TaskAddress) -> bytes:
    """The task as a feed tells of it: readable even where the key holds only a hash."""
    return f"{address.tenant}~{address.task_id}".encode(errors="surrogatepass")
