"""One page of the index over all shards, in one round trip, or two when a shard has more than its share.

Owns how much is asked of each shard, and when there is more to ask. Every shard gives its entries in order;
the page is the first of all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from relayna.streams.keys import KeyGrammar
from relayna.streams.read_model_index import entry_in, range_of
from relayna.streams.read_models import IndexEntry, IndexPage
from relayna.streams.redis.index_reading import IndexPart, read_members
from relayna.streams.redis.store import Store

__all__ = ["read_page"]


async def read_page(store: Store, keys: KeyGrammar, wanted: IndexPage) -> list[IndexEntry]:
    """The page. Raises `StoreUnreachable` or `StoreRefused`."""
    if wanted.limit < 1:
        return []
    within = range_of(wanted)
    parts = [IndexPart(keys.index(shard, wanted.tenant), within) for shard in range(keys.shard_count)]
    share = _share(wanted.limit, keys.shard_count)
    await read_members(store, parts, newest_first=wanted.newest_first, limit=share)
    first = _first_of(parts, wanted)
    # A shard may have more that belongs on the page if all that it gave does.
    whole = set(first)
    more = [part for part in parts if not part.is_all and part.members[-1] in whole]
    if more and share < wanted.limit:
        await read_members(store, more, newest_first=wanted.newest_first, limit=wanted.limit - share)
        first = _first_of(parts, wanted)
    return [entry_in(member) for member in first]


def _share(limit: int, shard_count: int) -> int:
    """More than twice what a shard has of a page when tasks lie evenly, which few shards ever exceed."""
    return min(limit, 2 * -(-limit // shard_count) + 6)


def _first_of(parts: Iterable[IndexPart], wanted: IndexPage) -> list[bytes]:
    every = itertools.chain.from_iterable(part.members for part in parts)
    return sorted(every, reverse=wanted.newest_first)[: wanted.limit]
