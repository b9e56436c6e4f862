"""What is asked of a store about run records: directories, whole parts of weeks, single runs.

Owns the commands and how much is asked at once. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from relayna.ids import Tenant
from relayna.streams.keys import KeyGrammar
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.requests import Request
from relayna.streams.redis.run_records_values import Directory, read_directory
from relayna.streams.redis.run_records_writing import RunChanges, first_parts, fitting_parts, weeks_to_begin
from relayna.streams.redis.store import Exchange
from relayna.streams.run_records import StoredRun

__all__ = ["begun_changes", "read_directories", "read_hashes"]

_LOOKED_AT: Final = 32
"""So many parts of a week tell how full it is."""
_HASHES_AT_ONCE: Final = 1_024


async def read_directories(
    store: Exchange, keys: KeyGrammar, shards: Iterable[int], tenant: Tenant
) -> dict[int, Directory]:
    """What these shards have of a tenant, in one round trip a node."""
    asked = list(shards)
    found = await read_hashes(store, [keys.runs(shard, tenant) for shard in asked])
    return {shard: read_directory(fields) for shard, fields in zip(asked, found, strict=True)}


async def read_hashes(store: Exchange, names: Sequence[str]) -> list[Mapping[bytes, bytes]]:
    """These hashes, whole. Raises `StoreUnreachable` or `StoreRefused`."""
    found: list[Mapping[bytes, bytes]] = []
    for start in range(0, len(names), _HASHES_AT_ONCE):
        some = names[start : start + _HASHES_AT_ONCE]
        replies = await store.exchange([Request((("HGETALL", name),), name) for name in some])
        found += map(_pairs, replies)
    return found


async def begun_changes(
    store: Exchange, keys: KeyGrammar, shard: int, tenant: Tenant, runs: Sequence[StoredRun]
) -> RunChanges:
    """Changes to which these runs may be told: every week of theirs is known, as full as the last one before it."""
    directory = (await read_directories(store, keys, [shard], tenant))[shard]
    changes = RunChanges(keys, shard, tenant, directory)
    for week in weeks_to_begin(runs, directory.weeks):
        known = sorted(directory.weeks, key=lambda other: (other > week, abs(week - other)))
        if not known:
            changes.begin(week, first_parts(keys.shard_count))
            continue
        parts = directory.weeks[known[0]].parts
        some = range(0, parts, max(1, parts // _LOOKED_AT))
        names = [keys.runs_of(shard, tenant, known[0], part) for part in some]
        replies = await store.exchange([Request((("HKEYS", name),), name) for name in names])
        changes.begin(week, fitting_parts(parts, [len(_words(reply)) for reply in replies]))
    return changes


def _pairs(reply: Reply) -> Mapping[bytes, bytes]:
    words = _words(reply)
    return dict(zip(words[::2], words[1::2], strict=True))


def _words(reply: Reply) -> list[bytes]:
    if isinstance(reply, Failed):
        raise reply.error
    return [word for word in reply if isinstance(word, bytes)] if isinstance(reply, list) else []
