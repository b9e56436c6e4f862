"""Texts and lists of JSON values are cut within bounds, and nothing else is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relayna.mcp.trimming import Bounds, encoded_size, told_cuts, trimmed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
BODIES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)
BOUNDS = st.builds(Bounds, text=st.integers(1, 10), entries=st.integers(1, 5))


def parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(part for one in inner for part in parts(one))]


@given(BODIES, BOUNDS)
def test_all_of_it_is_within_bounds(body: dict[str, Any], bounds: Bounds) -> None:
    after = trimmed(body, bounds, kept=())
    assert list(after) == list(body)
    for value in after.values():
        for part in parts(value):
            assert not isinstance(part, str) or len(part) <= bounds.text + 1
            assert not isinstance(part, list) or len(part) <= bounds.entries


@given(BODIES, BOUNDS)
def test_lists_that_are_kept_keep_their_length(body: dict[str, Any], bounds: Bounds) -> None:
    after = trimmed(body, bounds, kept=tuple(body))
    assert [len(value) for value in after.values() if isinstance(value, list)] == [
        len(value) for value in body.values() if isinstance(value, list)
    ]


@given(BODIES)
def test_what_is_within_bounds_stays(body: dict[str, Any]) -> None:
    after = trimmed(body, Bounds(text=20, entries=8), kept=())
    assert after == body
    assert told_cuts(body, after) == []


def test_cuts_are_told_by_field() -> None:
    before = {"a": [1, 2, 3], "b": "long text", "c": [["x", "y", "z"]], "d": 1}
    after = trimmed(before, Bounds(text=4, entries=2), kept=())
    assert after == {"a": [1, 2], "b": "long…", "c": [["x", "y"]], "d": 1}
    assert told_cuts(before, after) == ["a (2 of 3)", "b (shortened)", "c (shortened)"]


def test_size_is_that_of_json_in_bytes() -> None:
    assert encoded_size({"a": "é"}) == len('{"a":"é"}'.encode())
