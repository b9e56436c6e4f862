"""Members of indexes, read from their leaves in order.

Owns the commands, and how many leaves are asked for at once. Which members belong on a page is decided above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from relayna.errors import StoreRefused
from relayna.streams.read_model_index import MemberRange
from relayna.streams.redis.client import Command, Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.index_leaves import FEWEST_AT_ONCE, LeafChanges, leaf_changes, leaf_members
from relayna.streams.redis.requests import Request
from relayna.streams.redis.script import ScriptCall, load_script
from relayna.streams.redis.store import Store

__all__ = ["IndexPart", "read_leaf_changes", "read_members"]


class IndexPart(Struct):
    """What is being read of one index."""

    index: str
    left: MemberRange
    """What was not read yet."""
    members: list[bytes] = field(default_factory=list)
    """In the order of reading."""
    is_all: bool = False
    """Whether nothing is left in it."""


async def read_members(store: Store, parts: Sequence[IndexPart], *, newest_first: bool, limit: int) -> None:
    """Read each part on by so many members at least, or to its end: in one round trip a node, as a rule.

    Raises `StoreUnreachable` or `StoreRefused`.
    """
    until = {id(part): len(part.members) + limit for part in parts}
    while asked := [part for part in parts if not part.is_all and len(part.members) < until[id(part)]]:
        leaves = 2 + max(0, limit) // FEWEST_AT_ONCE
        requests = [
            Request(_commands(part, newest_first=newest_first, leaves=leaves), part.index) for part in asked
        ]
        for part, reply in zip(asked, await store.exchange(requests), strict=True):
            _take(part, _leaves(reply, part.index), newest_first=newest_first, asked=leaves)


async def read_leaf_changes(
    store: Store, changes: Mapping[str, tuple[set[bytes], set[bytes]]]
) -> dict[str, LeafChanges]:
    """By index, what becomes of its leaves when members come and go, as they are now; in one round trip a node."""
    members = {index: sorted(added | removed) for index, (added, removed) in changes.items()}
    calls = [ScriptCall([index], some) for index, some in members.items() if some]
    replies = await load_script("leaves.lua").run(store, calls) if calls else []
    found = {str(call.keys[0]): _words(reply) for call, reply in zip(calls, replies, strict=True)}
    decided = {}
    for index, (added, removed) in changes.items():
        try:
            decided[index] = leaf_changes(found.get(index, []), added, removed)
        except ValueError as error:
            raise _unreadable(index, error) from error
    return decided


def _commands(part: IndexPart, *, newest_first: bool, leaves: int) -> list[Command]:
    first, end = b"(" + part.left.first, b"(" + part.left.end
    if newest_first:
        return [("ZRANGE", part.index, end, "-", "BYLEX", "REV", "LIMIT", 0, leaves)]
    # What is wanted may begin within a leaf that begins before it.
    before: Command = ("ZRANGE", part.index, first, "-", "BYLEX", "REV", "LIMIT", 0, 1)
    return [before, ("ZRANGE", part.index, b"[" + part.left.first, end, "BYLEX", "LIMIT", 0, leaves)]


def _leaves(reply: Reply, index: str) -> list[list[bytes]]:
    """The members of each leaf that was answered, leaves in the order of the reply."""
    words = _words(reply)
    try:
        return [leaf_members(leaf) for leaf in words]
    except ValueError as error:
        raise _unreadable(index, error) from error


def _take(part: IndexPart, leaves: Sequence[list[bytes]], *, newest_first: bool, asked: int) -> None:
    left = part.left
    if newest_first:
        members = [member for leaf in leaves for member in reversed(leaf)]
        part.is_all = len(leaves) < asked or leaves[-1][0] <= left.first
    else:
        members = [member for leaf in leaves for member in leaf]
        part.is_all = len(leaves) < asked
    found = [one for one in members if left.first <= one < left.end]
    if left.without_first and left.first in found:
        found.remove(left.first)
    part.members += found
    if found:
        part.left = left.beyond(found[-1], newest_first=newest_first)


def _words(reply: Reply) -> list[bytes]:
    if isinstance(reply, Failed):
        raise reply.error
    if not isinstance(reply, list):
        raise StoreRefused("ZRANGE", f"unexpected reply {reply!r:.100}")
    words: list[bytes] = []
    for word in reply:
        if isinstance(word, bytes):
            words.append(word)
        elif isinstance(word, list):  # of one of several commands
            words += _words(word)
    return words


def _unreadable(index: str, error: ValueError) -> StoreRefused:
    told = f"a leaf of the index cannot be read ({error}); run `relayna reindex`"
    return StoreRefused(f"ZRANGE {index}", told)
