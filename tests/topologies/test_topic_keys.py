"""Topic matching: the examples of the specification, and the same answers as a regular expression."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.topologies.topic_keys import topic_matches


@pytest.mark.parametrize(
    ("binding_key", "routing_key", "matches"),
    [
        ("*.stock.#", "usd.stock", True),
        ("*.stock.#", "eur.stock.db", True),
        ("*.stock.#", "stock.nasdaq", False),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("*", "a", True),
        ("*", "", False),
        ("*", "a.b", False),
        ("a.#", "a", True),
        ("a.#.b", "a.b", True),
        ("a.#.b", "a.x.y.b", True),
        ("a.#.b", "a.b.c", False),
        ("#.#", "a", True),
        ("#.*", "", False),
        ("a.*.c", "a..c", True),
        ("", "", True),
        ("", "a", False),
        ("a*", "ab", False),
    ],
)
def test_examples(binding_key: str, routing_key: str, matches: bool) -> None:
    assert topic_matches(binding_key, routing_key) is matches


words = st.lists(st.sampled_from(["a", "b", ""]), max_size=6).map(".".join)
patterns = st.lists(st.sampled_from(["a", "b", "*", "#", ""]), max_size=6).map(".".join)


@given(binding_key=patterns, routing_key=words)
def test_it_agrees_with_a_regular_expression(binding_key: str, routing_key: str) -> None:
    # Every word is written with a dot behind it, so that `#` needs no special cases.
    spelled = {"*": r"[^.]*\.", "#": r"(?:[^.]*\.)*"}
    parts = binding_key.split(".") if binding_key else []
    pattern = "".join(spelled.get(part, re.escape(part) + r"\.") for part in parts)
    text = f"{routing_key}." if routing_key else ""
    assert topic_matches(binding_key, routing_key) is bool(re.fullmatch(pattern, text))


def test_many_wildcards_take_no_exponential_time() -> None:
    assert not topic_matches(".".join(["#", "a"] * 100), ".".join(["a"] * 99))
