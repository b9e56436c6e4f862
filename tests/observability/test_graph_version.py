"""Tokens of versions: what they say, that equal means equal, and that no bytes a client sends can hurt."""

from __future__ import annotations

import base64
import re

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relayna.ids import StreamId, TaskId
from relayna.instants import Instant
from relayna.observability.graph_version import (
    StreamPosition,
    make_version,
    parse_version,
    position_of,
    question_digest,
    task_digest,
)
from relayna.streams import StreamState, TaskAddress

QUESTION = question_digest(("what", 7))
STREAM_IDS = st.builds(
    lambda ms, n: StreamId(f"{ms}-{n}"), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)
)
TASK_IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300).map(TaskId)
POSITIONS = st.builds(
    lambda task_id, last_id, gone: StreamPosition(TaskAddress(task_id), last_id, gone if last_id else 0),
    TASK_IDS,
    st.none() | STREAM_IDS,
    st.integers(0, 2**63 - 1),
)


def at(task_id: str, last_id: str | None = "1-0", gone: int = 0) -> StreamPosition:
    return StreamPosition(TaskAddress(TaskId(task_id)), None if last_id is None else StreamId(last_id), gone)


@given(st.lists(POSITIONS, min_size=1, max_size=40), st.none() | st.integers(0, 2**63 - 1).map(Instant))
def test_a_token_says_what_it_was_made_of(
    positions: list[StreamPosition], changes_at: Instant | None
) -> None:
    token = make_version(QUESTION, positions, changes_at=changes_at)
    read = parse_version(token)

    assert read is not None
    assert (read.question, read.task, read.changes_at) == (
        QUESTION,
        task_digest(positions[0].address),
        changes_at,
    )
    named = positions[: len(read.listed)]
    assert list(read.listed) == [
        (one.address.task_id if place else None, one.last_id, one.gone) for place, one in enumerate(named)
    ]
    assert (read.others is None) == (len(named) == len(positions))
    assert len(named) <= 32
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,4096}", token)


@given(st.lists(POSITIONS, min_size=1, max_size=40), st.lists(POSITIONS, min_size=1, max_size=40))
def test_other_streams_are_another_version(one: list[StreamPosition], other: list[StreamPosition]) -> None:
    root = one[0]
    one, other = [root, *one[1:]], [root, *other[1:]]
    assert (make_version(QUESTION, one) == make_version(QUESTION, other)) == (one == other)


@pytest.mark.parametrize(
    "changed",
    [
        at("child", "2-0"),
        at("child", "1-1"),
        at("child", None),
        at("child", "1-0", gone=1),
        at("another"),
    ],
)
@pytest.mark.parametrize("before", [1, 31, 32, 100])
def test_any_change_is_another_version(changed: StreamPosition, before: int) -> None:
    family = [at(f"t{number}") for number in range(before)]
    assert make_version(QUESTION, [*family, changed]) != make_version(QUESTION, [*family, at("child")])


def test_another_question_or_time_is_another_version() -> None:
    tokens = {
        make_version(QUESTION, [at("T")]),
        make_version(question_digest(("what", 8)), [at("T")]),
        make_version(QUESTION, [at("T")], changes_at=Instant(5)),
    }
    assert len(tokens) == 3


def test_a_time_that_no_token_holds_is_the_last_that_one_does() -> None:
    read = parse_version(make_version(QUESTION, [at("T")], changes_at=Instant(2**64)))
    assert read is not None
    assert read.changes_at == 2**63 - 1


def test_long_names_are_left_to_the_digest() -> None:
    family = [at("root"), *(at(str(number) * 700) for number in range(5))]
    read = parse_version(make_version(QUESTION, family))
    assert read is not None
    assert len(read.listed) == 3
    assert read.others is not None


def test_a_position_is_the_end_and_what_has_gone() -> None:
    address = TaskAddress(TaskId("T"))
    assert position_of(address, StreamState()) == StreamPosition(address, None, 0)
    state = StreamState(length=3, entries_added=10, last_id=StreamId("5-1"))
    assert position_of(address, state) == StreamPosition(address, StreamId("5-1"), 7)


TOKEN = make_version(QUESTION, [at("T"), at("child"), at("gone", None)], changes_at=Instant(9))


@given(
    st.text(max_size=200) | st.binary(max_size=200).map(lambda data: base64.urlsafe_b64encode(data).decode())
)
@example("A" * 100_000)
@example("\ud800")
@example("é")
@example(TOKEN + "=")
@example(TOKEN + "\n")
@example(base64.urlsafe_b64encode(b"\x91" * 3_000).decode())
def test_other_text_is_no_version(text: str) -> None:
    assert parse_version(text) is None


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AZaz09-_+/=. "))
def test_a_token_with_an_odd_character_is_none_or_another(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    read = parse_version(changed)
    assert read is None or (read == parse_version(TOKEN)) == (changed == TOKEN)


@given(
    st.recursive(
        st.none() | st.integers(0, 2**64 - 1) | st.binary(max_size=12) | st.text(max_size=3), st.lists
    )
)
def test_other_data_is_no_version(data: object) -> None:
    token = base64.urlsafe_b64encode(msgspec.msgpack.encode(data)).rstrip(b"=").decode()
    assert parse_version(token) is None
