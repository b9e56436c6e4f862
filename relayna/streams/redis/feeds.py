"""Several shards' feeds at one look. Owns the request; what references mean is known to the log's readers."""

from __future__ import annotations

from collections.abc import Mapping

from relayna.ids import StreamId, stream_position
from relayna.streams.log import START, FeedReference
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.pages import feed_references
from relayna.streams.redis.requests import Request

__all__ = ["read_feeds"]


async def read_feeds(
    log: RedisLog, positions: Mapping[int, StreamId], *, limit: int
) -> dict[int, list[FeedReference]]:
    """By shard, the references at and after its position, oldest first: one round trip a node.

    Raises `StoreUnreachable` or `StoreRefused`.
    """
    requests = []
    for shard, position in positions.items():
        feed = log.keys.feed(shard)
        first = "-" if stream_position(position) == stream_position(START) else position
        requests.append(Request((("XRANGE", feed, first, "+", "COUNT", max(0, limit)),), feed))
    found: dict[int, list[FeedReference]] = {}
    for shard, reply in zip(positions, await log.store.exchange(requests), strict=True):
        if isinstance(reply, Failed):
            raise reply.error
        found[shard] = feed_references(reply)
    return found
