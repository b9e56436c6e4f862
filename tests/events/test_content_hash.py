"""The same content has the same hash, however it is spelled, and other content has another."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.events.content_hash import bytes_hash, canonical_json, content_hash, json_hash

WORKED = "43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777"

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_the_worked_hash() -> None:
    assert content_hash({"b": 2, "a": 1}) == json_hash(b'{"b":2,"a":1}') == WORKED
    assert json_hash(b' { "a" : 1,\n "b" : 2 }') == WORKED


def test_canonical_json_is_sorted_has_no_blanks_and_is_utf_8() -> None:
    assert canonical_json({"é": [1, 2.5, None, True], "b": {"z": "ü", "a": ""}}) == (
        '{"b":{"a":"","z":"ü"},"é":[1,2.5,null,true]}'.encode()
    )


@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"no json", b'"\\ud800"', b"[NaN]", b"[" * 100_000])
def test_what_is_no_json_is_hashed_as_it_is(data: bytes) -> None:
    assert json_hash(data) == hashlib.sha256(data).hexdigest() == bytes_hash(data)


def test_bytes_are_hashed_as_they_are() -> None:
    data = b'{"b": 2, "a": 1}'
    assert content_hash(data) == content_hash(bytearray(data)) == content_hash(memoryview(data))
    assert content_hash(data) == hashlib.sha256(data).hexdigest() != WORKED


@pytest.mark.parametrize("nothing", [None, object(), {1, 2}, float("nan"), "\ud800", {1: 1, "a": 2}])
def test_what_is_neither_bytes_nor_json_has_no_hash(nothing: object) -> None:
    assert content_hash(nothing) is None


def test_what_contains_itself_has_no_hash() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert content_hash(circle) is None


@settings(max_examples=80)
@given(value=values, indent=st.sampled_from([None, 2]))
def test_spelling_does_not_matter(value: Any, indent: int | None) -> None:
    spelled = json.dumps(value, indent=indent, sort_keys=indent is None)
    assert json_hash(spelled.encode()) == bytes_hash(canonical_json(value) or b"")
