"""What time it is where a shard's keys are. Owns the reading of `TIME`."""

from __future__ import annotations

from relayna.errors import StoreRefused
from relayna.streams.redis.client import Reply
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.store import asked

__all__ = ["read_time_ms", "server_time_ms"]


async def server_time_ms(log: RedisLog, shard: int) -> int:
    """The clock by which ids of this shard's streams are given, in milliseconds. Raises `StoreError`."""
    return read_time_ms(await asked(log.store, log.keys.feed(shard), "TIME"))


def read_time_ms(reply: Reply) -> int:
    """Milliseconds, from the reply to `TIME`. Raises `StoreRefused`.

    >>> read_time_ms([b"1767225600", b"250999"])
    1767225600250
    """
    match reply:
        case [bytes() as seconds, bytes() as microseconds] if seconds.isdigit() and microseconds.isdigit():
            return int(seconds) * 1000 + int(microseconds) // 1000
        case _:
            raise StoreRefused("TIME", f"unexpected reply {reply!r:.100}")
