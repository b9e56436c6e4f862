"""The four kinds of exchange, and the words of topic patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.memory.exchange import MemoryExchange, topic_matches
from relayna.topologies.declarations import Binding, Exchange


def exchange(kind: str, *bindings: Binding) -> MemoryExchange:
    made = MemoryExchange(Exchange(name="x", kind=kind))
    for binding in bindings:
        made.bind(binding)
    return made


def test_direct_compares_the_whole_key() -> None:
    direct = exchange(
        "direct",
        Binding(queue="a", exchange="x", routing_key="k"),
        Binding(queue="b", exchange="x", routing_key="k.l"),
    )
    assert direct.queues_for("k", {}) == ["a"]
    assert direct.queues_for("", {}) == []


def test_fanout_ignores_the_key() -> None:
    fanout = exchange("fanout", *(Binding(queue=name, exchange="x", routing_key=name) for name in "ab"))
    assert fanout.queues_for("whatever", {}) == ["a", "b"]


def test_a_queue_bound_twice_gets_one_copy() -> None:
    topic = exchange("topic", *(Binding(queue="a", exchange="x", routing_key=key) for key in ("#", "k", "*")))
    assert topic.queues_for("k", {}) == ["a"]


@pytest.mark.parametrize(
    ("match", "headers", "matched"),
    [
        ("all", {"format": "pdf", "pages": 3}, True),
        ("all", {"format": "pdf", "pages": 3, "extra": "yes"}, True),
        ("all", {"format": "pdf"}, False),
        ("any", {"format": "pdf"}, True),
        ("any", {"format": "txt", "pages": 4}, False),
        ("any", {}, False),
    ],
)
def test_headers_are_matched_all_or_any(match: str, headers: dict[str, object], matched: bool) -> None:
    arguments = (("x-match", match), ("format", "pdf"), ("pages", 3))
    by_headers = exchange("headers", Binding(queue="a", exchange="x", arguments=arguments))
    assert by_headers.queues_for("key", headers) == (["a"] if matched else [])


def test_headers_match_all_unless_told_otherwise_and_nothing_asked_is_all() -> None:
    assert exchange("headers", Binding(queue="a", exchange="x")).queues_for("", {"any": 1}) == ["a"]
    both = exchange("headers", Binding(queue="a", exchange="x", arguments=(("one", 1), ("two", 2))))
    assert both.queues_for("", {"one": 1}) == []


@pytest.mark.parametrize(
    ("pattern", "key", "matched"),
    [
        ("*", "a", True),
        ("*", "", False),
        ("*", "a.b", False),
        ("#", "", True),
        ("#", "a.b.c", True),
        ("a.#", "a", True),
        ("a.*", "a", False),
        ("#.z", "a.b.z", True),
        ("a.#.z", "a.z", True),
        ("a.*.z", "a.z", False),
        ("a.#.#.z", "a.b.c.d.z", True),
        ("", "", True),
        ("", "a", False),
        ("a.b", "a.c", False),
    ],
)
def test_topic_patterns(pattern: str, key: str, matched: bool) -> None:
    assert topic_matches(pattern, key) is matched


WORDS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=6).map(".".join)
PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=6).map(".".join)


@given(PATTERNS, WORDS)
def test_topic_patterns_agree_with_a_regular_expression(pattern: str, key: str) -> None:
    parts = {"*": r"[^.]+\.", "#": r"([^.]+\.)*"}
    expression = "".join(parts.get(word, rf"{word}\.") for word in pattern.split("."))
    assert topic_matches(pattern, key) is bool(re.fullmatch(expression, f"{key}."))
