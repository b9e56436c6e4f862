"""How the messages of many children are spread over queues so that those of one parent stay together.

Owns the sharding rule: SHA-256 of the parent's id, as one big-endian number, modulo the shard count.
"""

from __future__ import annotations

import hashlib
from typing import Final

from msgspec import Struct

from relayna.errors import InvalidTopology
from relayna.topologies.checks import check_count, check_name, check_queue_name, check_routing_key
from relayna.topologies.naming import LONGEST_NAME_BYTES

__all__ = ["AggregationShards", "check_shards", "shard_key", "shard_of", "shard_queue"]

_PLACE: Final = "{shard}"
_MOST_SHARDS: Final = 4096


class AggregationShards(Struct, frozen=True, kw_only=True):
    """Shards 0 to `count` - 1, each with a queue and a routing key on the status exchange."""

    count: int
    routing_prefix: str
    queue_template: str
    """A queue's name with `{shard}` where the number goes."""


def check_shards(shards: AggregationShards) -> None:
    """Refuse shards that cannot be told apart. Raises `InvalidTopology` with the topology's field names."""
    check_count("shard_count", shards.count, least=1, most=_MOST_SHARDS)
    longest_prefix = LONGEST_NAME_BYTES - len(f".{_MOST_SHARDS - 1}")
    check_routing_key("aggregation_routing_prefix", shards.routing_prefix, longest=longest_prefix)
    check_name("aggregation_queue_template", shards.queue_template)
    if _PLACE not in shards.queue_template:
        problem = f"{shards.queue_template!r} lacks {_PLACE}, so all shards would share one queue"
        raise InvalidTopology("aggregation_queue_template", problem)
    check_queue_name("aggregation_queue_template", shard_queue(shards, shards.count - 1))


def shard_of(shards: AggregationShards, parent_task_id: str) -> int:
    """The shard to which all messages about this parent's children go."""
    digest = hashlib.sha256(parent_task_id.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest) % shards.count


def shard_key(shards: AggregationShards, shard: int) -> str:
    """The routing key of a shard."""
    return f"{shards.routing_prefix}.{shard}"


def shard_queue(shards: AggregationShards, shard: int) -> str:
    """The queue of a shard."""
    return shards.queue_template.replace(_PLACE, str(shard))
