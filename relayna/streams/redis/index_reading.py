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
from relayna.streams.redis.store import Exchange

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


async def read_members(
    store: Exchange, parts: Sequence[IndexPart], *, newest_first: bool, limit: int
) -> None:
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
            wanted = until[id(part)] - len(part.members)
            _take(part, _words(reply), wanted, newest_first=newest_first, may_go_on=leaves)


async def read_leaf_changes(
    store: Exchange, changes: Mapping[str, tuple[set[bytes], set[bytes]]]
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


def _take(
    part: IndexPart, leaves: Sequence[bytes], wanted: int, *, newest_first: bool, may_go_on: int
) -> None:
    """Take so many members; there may be more behind so many leaves."""
    left = part.left
    first = left.first + b"\0" if left.without_first else left.first  # the next that there may be
    found: list[bytes] = []
    is_all = len(leaves) < may_go_on
    for leaf in leaves:
        members = _members(leaf, part.index)
        found += [one for one in members[:: -1 if newest_first else 1] if first <= one < left.end]
        if newest_first and members[0] <= left.first:
            is_all = True
            break
        if len(found) > wanted:  # one more, by which to know that it goes on
            break
    part.is_all = is_all and len(found) <= wanted
    part.members += found[: max(0, wanted)]
    if part.members:
        part.left = left.beyond(part.members[-1], newest_first=newest_first)


def _members(leaf: bytes, index: str) -> list[bytes]:
    try:
        return leaf_members(leaf)
    except ValueError as error:
        raise _unreadable(index, error) from error


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
