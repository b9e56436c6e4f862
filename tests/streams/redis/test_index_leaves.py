"""Leaves of an index: whatever comes and goes, they hold it in order, and each member is where it is looked for."""

from __future__ import annotations

import contextlib
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams.read_models_harness import row_for, some_rows

from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.streams.read_model_index import row_members, term_member
from relayna.streams.read_models import IndexTerm
from relayna.streams.redis.index_leaves import (
    FEWEST_AT_ONCE,
    LeafChanges,
    leaf_changes,
    leaf_members,
    leaf_value,
)


def member(number: int, *, name: str = "status", task: str = "order", ref: str = "") -> bytes:
    return term_member(IndexTerm(name, "failed", Instant(number), ref), TaskId(task))


some_members = st.lists(some_rows, max_size=8).map(
    lambda rows: {member for row in rows for member in row_members(row)}
)


class Index:
    """A sorted set of leaves, as a server keeps it."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []

    def found(self, members: set[bytes]) -> list[bytes]:
        """What `leaves.lua` finds."""
        places = {max(0, bisect_left(self.leaves, one + b"\xff") - 1) for one in members}
        return [self.leaves[place] for place in sorted(places)] if self.leaves else []

    def change(self, added: set[bytes], removed: set[bytes]) -> LeafChanges:
        changes = leaf_changes(self.found(added | removed), added, removed)
        assert changes.removed <= set(self.leaves)
        assert not changes.added & set(self.leaves)
        self.leaves = sorted(set(self.leaves) - changes.removed | changes.added)
        return changes

    def members(self) -> list[bytes]:
        return [one for leaf in self.leaves for one in leaf_members(leaf)]


@given(some_members.filter(bool))
def test_a_leaf_says_its_members_again(members: set[bytes]) -> None:
    assert leaf_members(leaf_value(sorted(members))) == sorted(members)


@given(st.lists(st.tuples(some_members, some_members), max_size=6))
def test_whatever_comes_and_goes_lies_in_order(steps: list[tuple[set[bytes], set[bytes]]]) -> None:
    index, expected = Index(), set[bytes]()
    for added, gone in steps:
        removed = gone - added
        index.change(added, removed)
        expected = expected - removed | added

        assert index.members() == sorted(expected)


@given(st.lists(st.integers(0, 400), max_size=300), st.randoms())
def test_leaves_are_neither_crowded_nor_many(numbers: list[int], chance) -> None:  # type: ignore[no-untyped-def]
    index = Index()
    for start in range(0, len(numbers), 7):
        index.change({member(number) for number in numbers[start : start + 7]}, set())
    sizes = [len(leaf_members(leaf)) for leaf in index.leaves]
    left = set(chance.sample(index.members(), k=len(index.members()) // 2))
    index.change(set(), left)

    assert all(size <= 2 * FEWEST_AT_ONCE for size in sizes)
    assert len(sizes) <= 1 or min(sizes) >= FEWEST_AT_ONCE
    assert all(leaf_members(leaf) for leaf in index.leaves)


def test_only_leaves_that_change_are_written() -> None:
    index = Index()
    index.change({member(number) for number in range(500)}, set())
    before = set(index.leaves)
    same = index.change({member(7), member(499)}, {member(1_000)})
    one = index.change({member(250, ref="again")}, set())

    assert (same.added, same.removed) == (set(), set())
    assert (len(one.added), len(one.removed)) in {(1, 1), (2, 1)}
    assert len(before & set(index.leaves)) == len(before) - 1


def test_an_index_of_which_all_goes_has_no_leaf() -> None:
    index = Index()
    members = {member(number) for number in range(100)}
    index.change(members, set())
    index.change(set(), members)

    assert index.leaves == []


def test_long_members_have_leaves_of_their_own() -> None:
    long = {member(number, task="x" * 3_000 + str(number)) for number in range(9)}
    index = Index()
    index.change(long | {member(number) for number in range(9)}, set())

    assert len(index.members()) == 18
    assert max(map(len, index.leaves)) < 9_000


def test_what_members_have_in_common_is_said_once() -> None:
    uuids = [f"c5b16522-4a58-b791-df6a-f1d8303e{number:04x}" for number in range(32)]
    members = sorted(row_members(row_for(uuids[0])) | {member(7, task=uuid) for uuid in uuids})

    assert len(leaf_value(members[1:])) / len(members[1:]) < 8


@given(st.binary(max_size=80), st.booleans())
def test_whatever_lies_there_is_a_leaf_or_none(data: bytes, follows: bool) -> None:
    with contextlib.suppress(ValueError):
        assert leaf_members(leaf_value([member(1)])[: -3 if follows else 0] + data)


@pytest.mark.parametrize(
    "old", [b"\x01" * 16 + b"\x80" + bytes(7) + b"order\0", member(1), member(1) + b"\x92\x00"]
)
def test_what_another_layout_wrote_is_no_leaf(old: bytes) -> None:
    with pytest.raises(ValueError, match=r"entry|truncated|array|trailing"):
        leaf_members(old)
