"""Leaves of an index: several neighbouring members in one entry of a sorted set. Pure.

Owns their bytes, and which leaves are written anew when members come and go. An entry of a sorted set costs some 65
bytes before it says anything, and neighbours begin alike: a leaf says its first member, how many bytes all have in
common, how long the rest of each is, once where all are as long, and these one after the other. As it begins with its first member, leaves sort as their members do, and a member is in
the last leaf that does not begin after it (docs/decisions/0021-leaves-of-the-index.md).
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct, field

from relayna.streams.read_model_index import end_of_member

__all__ = ["FEWEST_AT_ONCE", "LeafChanges", "leaf_changes", "leaf_members", "leaf_value"]

FEWEST_AT_ONCE: Final = 20
"""Members of a new leaf, of many; those that it had may go one by one."""

_MOST_MEMBERS: Final = 2 * FEWEST_AT_ONCE
_MOST_BYTES: Final = 4_096
"""Of its members as they are; one that is longer is alone."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[int, int | list[int], bytes]).decode


class LeafChanges(Struct):
    """What is to be done to an index, which nobody else changes meanwhile."""

    added: set[bytes] = field(default_factory=set)
    """Leaves that it shall have."""
    removed: set[bytes] = field(default_factory=set)
    """Leaves that it shall have no longer."""


def leaf_value(members: Sequence[bytes]) -> bytes:
    """The leaf of these members, which are in order, and one at least."""
    first = members[0]
    shared = _shared(first, members[-1])
    rest = [member[shared:] for member in members[1:]]
    sizes = list(map(len, rest))
    alike = sizes[0] if sizes and min(sizes) == max(sizes) else sizes
    # What follows begins with 0x93: before 0xFF, by which `leaves.lua` looks behind the first member.
    return first + _encode((shared, alike, b"".join(rest)))


def leaf_members(leaf: bytes) -> list[bytes]:
    """The members of a leaf, in order. Raises `ValueError` for what is none."""
    end = end_of_member(leaf)
    try:
        shared, sizes, rest = _decode(leaf[end:])
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    beginning = leaf[:shared]
    if isinstance(sizes, int):
        places = range(0, len(rest), max(1, sizes))
        return [leaf[:end], *(beginning + rest[place : place + sizes] for place in places)]
    ends = list(itertools.accumulate(sizes))
    if min(sizes, default=0) < 0 or sum(sizes) != len(rest):
        raise ValueError("its sizes are others")
    return [leaf[:end], *(beginning + rest[to - size : to] for to, size in zip(ends, sizes, strict=True))]


def leaf_changes(
    leaves: Sequence[bytes], added: Collection[bytes], removed: Collection[bytes]
) -> LeafChanges:
    """What becomes of these leaves when these members come and go.

    `leaves` are in order, and all that `leaves.lua` finds for the members. Raises `ValueError`.
    """
    held = [leaf_members(leaf) for leaf in leaves]
    firsts = [members[0] for members in held]
    changed = {max(0, bisect_right(firsts, member) - 1) for member in (*added, *removed)}
    by_leaf: dict[int, set[bytes]] = {number: set(held[number]) if held else set() for number in changed}
    for member in removed:
        by_leaf[max(0, bisect_right(firsts, member) - 1)].discard(member)
    for member in added:
        by_leaf[max(0, bisect_right(firsts, member) - 1)].add(member)
    changes = LeafChanges()
    for number, members in by_leaf.items():
        if leaves:
            changes.removed.add(leaves[number])
        changes.added.update(map(leaf_value, _shares(sorted(members))))
    alike = changes.added & changes.removed
    return LeafChanges(changes.added - alike, changes.removed - alike)


def _shares(members: list[bytes]) -> Iterator[list[bytes]]:
    """These members as leaves have them: all, or even shares when they are too many for one."""
    size = sum(map(len, members))
    if len(members) <= _MOST_MEMBERS and size <= _MOST_BYTES:
        if members:
            yield members
        return
    most = max(1, min(_MOST_MEMBERS, _MOST_BYTES * len(members) // size))
    count = -(-len(members) // most)
    for number in range(count):
        yield members[number * len(members) // count : (number + 1) * len(members) // count]


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes two members have in common at their beginning."""
    for at, (mine, others) in enumerate(zip(one, other, strict=False)):
        if mine != others:
            return at
    return min(len(one), len(other))
