"""Keyed sequences: a difference gives the newer one exactly, and says no more than it must."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.projections.keyed_sequence import PatchDoesNotFit, differences, patched, same_json

VALUES = [0, 1, 1.0, True, "1", None, {"a": 1, "b": 2}, {"b": 2, "a": 1}]
sequences = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(VALUES)), max_size=12, unique_by=lambda item: item[0]
).map(dict)


def shown(items: object) -> str:
    return repr(list(items))  # type: ignore[call-overload]


@settings(max_examples=300)
@given(old=sequences, new=sequences)
def test_the_difference_gives_the_newer_one(old: dict[int, object], new: dict[int, object]) -> None:
    changes = differences(old, new)
    gone = [key for key in old if key not in new]

    assert shown(patched(old, gone, changes)) == shown(new.values())
    assert [key for key, _, _ in changes] == sorted((key for key, _, _ in changes), key=list(new).index)


@given(order=st.permutations(range(7)))
def test_as_few_as_possible_are_moved(order: list[int]) -> None:
    old, new = {number: number for number in range(7)}, {number: number for number in order}
    moved = len(differences(old, new))
    ascending = [
        kept for size in range(8) for kept in combinations(order, size) if list(kept) == sorted(kept)
    ]

    assert moved == 7 - max(map(len, ascending))


def test_what_has_not_changed_is_not_told() -> None:
    old = {key: {"value": key} for key in "abcdef"}
    new = {
        **{key: {"value": key} for key in "ab"},
        "x": {},
        "c": {"value": "C"},
        "e": old["e"],
        "f": old["f"],
    }

    assert differences(old, new) == [("x", {}, 2), ("c", {"value": "C"}, None)]
    assert differences(old, old) == []


@pytest.mark.parametrize(
    ("removed", "changes"),
    [
        (["z"], []),
        ([], [("z", 1, None)]),
        (["a"], [("a", 1, None)]),
        ([], [("z", 1, 7)]),
        ([], [("z", 1, -1)]),
    ],
)
def test_a_patch_for_something_else_is_refused(
    removed: list[str], changes: list[tuple[str, int, int | None]]
) -> None:
    with pytest.raises(PatchDoesNotFit, match="each to its base"):
        patched({"a": 0, "b": 0}, removed, changes)


def test_what_python_takes_for_equal_json_may_not() -> None:
    assert [same_json(1, one) for one in (1, 1.0, True)] == [True, False, False]
    assert not same_json({"a": 1, "b": 2}, {"b": 2, "a": 1})
