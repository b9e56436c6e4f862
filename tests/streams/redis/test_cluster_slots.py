"""Who has which slot: every way in which nodes name themselves, and redirections."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.errors import StoreRefused, StoreUnreachable
from relayna.ids import TaskId
from relayna.store_url import Endpoint
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.redis.cluster_slots import Redirection, read_redirection, read_slots, slot_of
from relayna.streams.redis.failures import Failed

ASKED = Endpoint("asked", 7000)


def row(first: int, last: int, host: Any, port: int = 7001, *rest: Any) -> Any:
    return [first, last, [host, port, b"id", *rest], [b"replica", 7009, b"id"]]


@pytest.mark.parametrize(
    ("host", "rest", "name"),
    [
        (b"10.0.0.1", [], "10.0.0.1"),
        (b"node.example", [[b"ip", b"10.0.0.1"]], "node.example"),
        (b"fd00::1", [], "fd00::1"),
        (b"", [], "asked"),
        (None, [], "asked"),
        (b"?", [[b"ip", b"10.0.0.1"]], "10.0.0.1"),
    ],
)
def test_a_master_has_the_name_it_gives_or_is_reached_as_the_one_asked(
    host: Any, rest: list[Any], name: str
) -> None:
    slots = read_slots([row(0, 99, host, 7001, *rest)], ASKED)
    assert slots.node_of(50) == Endpoint(name, 7001)


def test_ranges_may_come_in_any_order_and_leave_gaps() -> None:
    slots = read_slots([row(200, 299, b"b"), row(0, 99, b"a"), row(300, 300, b"a")], ASKED)

    found = {slot: slots.node_of(slot) for slot in (0, 99, 100, 199, 200, 299, 300, 301, 16_383)}
    assert {slot: node and node.host for slot, node in found.items()} == {
        0: "a", 99: "a", 100: None, 199: None, 200: "b", 299: "b", 300: "a", 301: None, 16_383: None,
    }  # fmt: skip
    assert [node.host for node in slots.nodes] == ["a", "b"]


def test_what_a_redirection_taught_comes_first() -> None:
    slots = read_slots([row(0, 99, b"a")], ASKED)
    slots.learned[7] = Endpoint("c", 7003)
    assert (slots.node_of(7), slots.node_of(8)) == (Endpoint("c", 7003), Endpoint("a", 7001))


@pytest.mark.parametrize("reply", [None, [], [[]], [[0, 5]], [[0, 5, []]], [row(0, 5, b"?")], b"odd"])
def test_a_reply_that_names_nobody_is_an_empty_map(reply: Any) -> None:
    assert read_slots(reply, ASKED).nodes == []


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("MOVED 3999 127.0.0.1:6381", Redirection("MOVED", 3999, Endpoint("127.0.0.1", 6381))),
        ("ASK 0 node.example:6381", Redirection("ASK", 0, Endpoint("node.example", 6381))),
        ("MOVED 1 :6381", Redirection("MOVED", 1, Endpoint("asked", 6381))),
        ("MOVED 1 ?:6381", Redirection("MOVED", 1, Endpoint("asked", 6381))),
        ("MOVED 1 fd00::1:6381", Redirection("MOVED", 1, Endpoint("fd00::1", 6381))),
        ("MOVED 1 nowhere", None),
        ("MOVED", None),
        ("TRYAGAIN Multiple keys request during rehashing of slot", None),
    ],
)
def test_a_redirection_names_the_slot_and_the_node(problem: str, expected: Redirection | None) -> None:
    assert read_redirection(Failed(StoreRefused("GET", problem)), ASKED) == expected


def test_silence_and_answers_send_nobody_on() -> None:
    assert read_redirection(Failed(StoreUnreachable("redis://a", "MOVED 1 a:1")), ASKED) is None
    assert read_redirection(b"MOVED 1 a:1", ASKED) is None


@given(st.text(min_size=1), st.integers(1, 16_384))
def test_all_keys_of_a_task_lie_in_its_shards_slot(task_id: str, shard_count: int) -> None:
    keys = KeyGrammar("relayna", shard_count)
    address = TaskAddress(TaskId(task_id))
    assert slot_of(keys.events(address)) == slot_of(keys.feed(keys.shard_of(address)))


@pytest.mark.parametrize(
    ("key", "slot"), [("foo", 12_182), ("{user}:x", slot_of("user")), (b"123456789", 12_739)]
)
def test_slots_are_those_of_the_specification(key: str | bytes, slot: int) -> None:
    assert slot_of(key) == slot
