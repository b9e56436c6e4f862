"""Query parameters: decoded once, and told apart."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.api.query import QueryParameters
from relayna.errors import InvalidQuery
from relayna.instants import parse_instant


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    assert QueryParameters(urlencode({"task_id": text}).encode()).text("task_id") == text


@given(st.binary())
def test_any_bytes_are_read(query_string: bytes) -> None:
    query = QueryParameters(query_string + b"&depth=3")
    assert query.text("view") is None or isinstance(query.text("view"), str)
    assert query.whole_number("depth", default=1) == 3


@pytest.mark.parametrize("query_string", [b"name=%FF", b"name=\xff", b"name=%ED%A0%80"])
def test_what_is_not_utf8_is_refused(query_string: bytes) -> None:
    with pytest.raises(InvalidQuery, match="is not UTF-8"):
        QueryParameters(query_string).text("name")


def test_utf8_that_was_not_escaped_is_text() -> None:
    assert QueryParameters("name=\u00e9".encode()).text("name") == "\u00e9"


def test_what_is_not_given_is_none() -> None:
    query = QueryParameters(b"other=1")
    assert query.text("name") is None
    assert query.whole_number("name") is None
    assert query.whole_number("name", default=3) == 3
    assert query.time("name") is None


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("007", 7), ("-1", -1), ("+5", 5), ("999999999", 999_999_999)]
)
def test_whole_numbers(text: str, number: int) -> None:
    assert QueryParameters(f"depth={text}".encode()).whole_number("depth") == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1.0",
        "1e3",
        "1_000",
        "0x10",
        "\u0663",
        "--1",
        "1 2",
        "9" * 10,
        "9" * 10_000,
        "\x1f5",
        "5\x1c",
    ],
)
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery, match=r"^Parameter 'depth': .{1,90} is no whole number"):
        QueryParameters(urlencode({"depth": text}).encode()).whole_number("depth")


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-01T00:00:05+00:00",
        "2026-01-01T00:00:05.25+02:00",
        "2026-01-01 00:00:05+0200",
        "20260101T000005+02",
        "2026-01-01T00:00:05Z",
        "2026-01-01 10:00",
        "1767225600",
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_times_survive_an_unescaped_plus(time: str, escaped: bool) -> None:
    query_string = urlencode({"at": time}) if escaped else f"at={time}"
    read = QueryParameters(query_string.encode()).time("at")
    assert read == time
    assert parse_instant(read) is not None


def test_true_and_false_are_the_only_booleans() -> None:
    query = QueryParameters(b"yes=true&no=false&maybe=1")
    assert (query.boolean("yes"), query.boolean("no"), query.boolean("other")) == (True, False, None)
    with pytest.raises(InvalidQuery, match="'1' is neither true nor false"):
        query.boolean("maybe")
