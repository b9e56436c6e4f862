from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.errors import InvalidQuery
from relayna.ids import StreamId
from relayna.observability.history_cursor import HistoryPlace, decode_place, encode_place, is_position

PLACE = HistoryPlace(StreamId("1767225600000-3"), 7)


def test_a_cursor_says_where_to_go_on() -> None:
    assert decode_place(encode_place(PLACE, ["order-7", "asc"]), ["order-7", "asc"]) == PLACE
    assert decode_place(None, ["order-7"]) is None


def test_a_cursor_of_another_question_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="belongs to another question"):
        decode_place(encode_place(PLACE, ["order-7"]), ["order-8"])


@given(text=st.text() | st.binary().map(lambda data: data.hex()) | st.just("k" * 1_000))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery, match="is no cursor"):
        decode_place(text, [])


@pytest.mark.parametrize("place", ["0-0", "-1-0", "x-1", f"{2**63}-0"])
def test_a_cursor_that_names_no_place_is_refused(place: str) -> None:
    with pytest.raises(InvalidQuery, match="is no cursor"):
        decode_place(encode_place(HistoryPlace(StreamId(place), 0), []), [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-0", True),
        ("0-1", True),
        (f"{2**63 - 1}-{2**63 - 1}", True),
        ("0-0", False),
        ("1", False),
        ("1-", False),
        ("-", False),
        ("1-0\n", False),
        ("+", False),
        ("\u0661-0", False),
        (f"1-{2**63}", False),
    ],
)
def test_positions(text: str, expected: bool) -> None:
    assert is_position(text) is expected
