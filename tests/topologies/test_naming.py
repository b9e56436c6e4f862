"""Derived names: their spelling, their room, and texts that must fit a short string."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.topologies.naming import (
    LONGEST_DELAY_MS,
    LONGEST_NAME_BYTES,
    LONGEST_QUEUE_NAME_BYTES,
    LONGEST_STATUS_EXCHANGE_BYTES,
    as_short_string,
    dead_letter_exchange_name,
    dead_letter_queue_name,
    dead_letter_record_queue_name,
    retry_queue_name,
)


def test_the_spelling() -> None:
    assert dead_letter_queue_name("orders") == "orders.dead_letters"
    assert dead_letter_record_queue_name("orders") == "orders.dead_letters.record"
    assert dead_letter_exchange_name("statuses") == "statuses.dead_letters"
    assert retry_queue_name("orders", 5_000) == "orders.retry.5000ms"


def test_the_longest_queue_name_leaves_room_for_all_of_them() -> None:
    longest = "x" * LONGEST_QUEUE_NAME_BYTES
    derived = (retry_queue_name(longest, LONGEST_DELAY_MS), dead_letter_record_queue_name(longest))
    assert max(map(len, derived)) == LONGEST_NAME_BYTES
    assert len(dead_letter_exchange_name("x" * LONGEST_STATUS_EXCHANGE_BYTES)) == LONGEST_NAME_BYTES


@pytest.mark.parametrize("text", ["", "order/7", "x" * 255, "é" * 127])
def test_what_fits_stays(text: str) -> None:
    assert as_short_string(text) == text


def test_what_does_not_fit_is_hashed() -> None:
    assert as_short_string("é" * 128) == hashlib.sha256(("é" * 128).encode()).hexdigest()
    assert len(as_short_string("\ud800")) == 64


@given(text=st.text(st.characters(), max_size=300), other=st.text(st.characters(), max_size=300))
def test_it_always_fits_and_stays_distinct(text: str, other: str) -> None:
    assert len(as_short_string(text).encode()) <= LONGEST_NAME_BYTES
    assert (as_short_string(text) == as_short_string(other)) == (text == other)
