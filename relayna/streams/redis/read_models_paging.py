"""One page of the index over all shards, in one round trip, or two when a shard has more than its share.

Owns how much is asked of each shard, and when there is more to ask. Every shard gives its entries in order;
the page is the first of all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from relayna.errors import StoreRefused
from relayna.streams.keys import KeyGrammar
from relayna.streams.read_model_index import MemberRange, entry_in, range_of
from relayna.streams.read_models import IndexEntry, IndexPage
from relayna.streams.redis.client import Command, Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.requests import Request
from relayna.streams.redis.store import Store

__all__ = ["members_command", "members_in", "read_page"]


async def read_page(store: Store, keys: KeyGrammar, wanted: IndexPage) -> list[IndexEntry]:
    """The page. Raises `StoreUnreachable` or `StoreRefused`."""
    if wanted.limit < 1:
        return []
    within = range_of(wanted)
    share = _share(wanted.limit, keys.shard_count)
    found = await _members(store, keys, wanted, dict.fromkeys(range(keys.shard_count), within), share)
    first = _first_of(found, wanted)
    # A shard may have more that belongs on the page if all that it gave does, and it gave all it was asked for.
    more = {
        shard: within.beyond(members[-1], newest_first=wanted.newest_first)
        for shard, members in found.items()
        if share < wanted.limit and len(members) == share and members[-1] in first
    }
    if more:
        for shard, members in (await _members(store, keys, wanted, more, wanted.limit - share)).items():
            found[shard] += members
        first = _first_of(found, wanted)
    return [entry_in(member) for member in first]


def members_command(index: str, within: MemberRange, *, newest_first: bool, limit: int) -> Command:
    """What asks for members of an index, in order."""
    first = (b"(" if within.without_first else b"[") + within.first
    end = b"(" + within.end
    if newest_first:
        return ("ZRANGE", index, end, first, "BYLEX", "REV", "LIMIT", 0, max(0, limit))
    return ("ZRANGE", index, first, end, "BYLEX", "LIMIT", 0, max(0, limit))


def members_in(reply: Reply) -> list[bytes]:
    """The members that were answered. Raises `StoreUnreachable` or `StoreRefused`."""
    if isinstance(reply, Failed):
        raise reply.error
    if not isinstance(reply, list):
        raise StoreRefused("ZRANGE", f"unexpected reply {reply!r:.100}")
    return [member for member in reply if isinstance(member, bytes)]


def _share(limit: int, shard_count: int) -> int:
    """More than twice what a shard has of a page when tasks lie evenly, which few shards ever exceed."""
    return min(limit, 2 * -(-limit // shard_count) + 6)


async def _members(
    store: Store, keys: KeyGrammar, wanted: IndexPage, ranges: Mapping[int, MemberRange], limit: int
) -> dict[int, list[bytes]]:
    requests = []
    for shard, within in ranges.items():
        index = keys.index(shard, wanted.tenant)
        command = members_command(index, within, newest_first=wanted.newest_first, limit=limit)
        requests.append(Request((command,), index))
    replies = await store.exchange(requests)
    return {shard: members_in(reply) for shard, reply in zip(ranges, replies, strict=True)}


def _first_of(found: Mapping[int, Sequence[bytes]], wanted: IndexPage) -> list[bytes]:
    every = sorted(itertools.chain.from_iterable(found.values()), reverse=wanted.newest_first)
    return every[: wanted.limit]
