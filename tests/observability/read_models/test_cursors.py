"""Cursors come back as they were given, and nothing else is one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.errors import InvalidQuery
from relayna.instants import Instant
from relayna.observability.read_models.cursors import decode_cursor, encode_cursor
from relayna.streams.read_models import IndexEntry

texts = st.text(st.characters(), max_size=40)
entries = st.builds(IndexEntry, st.integers(-(2**62), 2**62).map(Instant), texts, texts)


@given(entries)
def test_it_comes_back(entry: IndexEntry) -> None:
    question = ["executions", {"queue": "work"}]
    cursor = encode_cursor(entry, question)
    assert cursor.isascii()
    assert decode_cursor(cursor, question) == entry
    assert decode_cursor(None, question) is None


def test_an_id_with_half_a_character_comes_back() -> None:
    entry = IndexEntry(Instant(7), "a\ud800", "\udfff")
    assert decode_cursor(encode_cursor(entry, []), []) == entry


@given(entries, st.integers(0, 200), st.integers(0, 255))
def test_one_that_was_tampered_with_is_refused_or_read(entry: IndexEntry, place: int, byte: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(encode_cursor(entry, []) + "=="))
    data[place % len(data)] = byte
    try:
        read = decode_cursor(base64.urlsafe_b64encode(data).decode().rstrip("="), [])
    except InvalidQuery:
        return
    assert isinstance(read, IndexEntry)


@pytest.mark.parametrize("text", ["", "x", "lä", "AAAA", "\ud800", "A" * 9_000, "kA=="])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        decode_cursor(text, [])
    assert refused.value.parameter == "cursor"


def test_a_forged_time_that_no_store_can_hold_is_refused() -> None:
    for at in (2**63, -(2**63), 2**62 + 1):
        cursor = encode_cursor(IndexEntry(Instant(at), "T"), [])
        with pytest.raises(InvalidQuery):
            decode_cursor(cursor, [])
