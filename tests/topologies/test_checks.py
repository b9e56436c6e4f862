"""Checks of fields: what AMQP cannot carry is refused, in a sentence that says what is wrong."""

from __future__ import annotations

import pytest

from relayna.errors import InvalidTopology
from relayna.topologies.checks import (
    as_tuple,
    check_count,
    check_distinct,
    check_items,
    check_name,
    check_queue_name,
    check_routing_key,
)
from relayna.topologies.naming import LONGEST_QUEUE_NAME_BYTES


def test_names_fit_into_short_strings() -> None:
    check_name("tasks_exchange", "x" * 255)
    check_name("tasks_exchange", "é" * 127)
    with pytest.raises(InvalidTopology, match="256 bytes long; at most 255 fit"):
        check_name("tasks_exchange", "é" * 128)
    with pytest.raises(InvalidTopology, match="empty"):
        check_name("tasks_exchange", "")
    with pytest.raises(InvalidTopology, match="not bytes"):
        check_name("tasks_exchange", b"tasks")
    with pytest.raises(InvalidTopology, match="UTF-8"):
        check_name("tasks_exchange", "\ud800")


def test_queue_names_leave_room_for_the_names_made_from_them() -> None:
    check_queue_name("tasks_queue", "x" * LONGEST_QUEUE_NAME_BYTES)
    with pytest.raises(InvalidTopology, match="at most 235 fit"):
        check_queue_name("tasks_queue", "x" * (LONGEST_QUEUE_NAME_BYTES + 1))
    with pytest.raises(InvalidTopology, match="the broker keeps for itself"):
        check_queue_name("tasks_queue", "amq.gen-7")


@pytest.mark.parametrize("key", ["*", "#", "orders.*", "orders.#.done"])
def test_what_is_published_with_is_no_pattern(key: str) -> None:
    with pytest.raises(InvalidTopology, match="wildcards"):
        check_routing_key("routing_key", key)


@pytest.mark.parametrize("key", ["orders", "a*b.c#", "..", "#1"])
def test_wildcards_are_whole_words(key: str) -> None:
    check_routing_key("routing_key", key)


def test_counts_have_a_range() -> None:
    check_count("shard_count", 1, least=1, most=3)
    check_count("shard_count", 3, least=1, most=3)
    for wrong in (0, 4, -1, True, 2.0, None):
        with pytest.raises(InvalidTopology):
            check_count("shard_count", wrong, least=1, most=3)


def test_names_are_distinct() -> None:
    check_distinct("task_types", "task type", ["a", "b"])
    with pytest.raises(InvalidTopology, match="the task type 'a' is there twice"):
        check_distinct("task_types", "task type", ["a", "b", "a"])


def test_items_are_of_one_kind() -> None:
    check_items("stages", ["a"], str)
    with pytest.raises(InvalidTopology, match=r"it holds a dict. Use str\(…\)"):
        check_items("stages", ["a", {}], str)


def test_lists_are_welcome_and_lone_texts_are_not() -> None:
    assert as_tuple("task_types", ["a", "b"]) == ("a", "b")
    with pytest.raises(InvalidTopology, match="not str"):
        as_tuple("task_types", "email")
    with pytest.raises(InvalidTopology, match="not int"):
        as_tuple("task_types", 7)  # type: ignore[arg-type]
