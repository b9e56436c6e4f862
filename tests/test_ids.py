"""Ids: every shape can be told from every other, whatever text users put into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.ids import (
    AttemptId,
    EventId,
    MessageId,
    StreamId,
    TaskId,
    attempt_event_id,
    copied_event_id,
    counted_event_id,
    message_event_id,
    own_event_id,
    replay_claim_event_id,
    replay_event_id,
    stream_position,
)

texts = st.text(st.characters(), max_size=20) | st.text("@.%0aé", max_size=6)


def test_the_shapes() -> None:
    attempt = AttemptId("0011223344556677")
    assert attempt_event_id(attempt, 4) == "0011223344556677.4"
    assert message_event_id(MessageId("m-1"), "published") == "m-1.published"
    assert counted_event_id(attempt, "repeated", 2) == "0011223344556677.repeated.2"
    assert replay_event_id("d-1", 1) == "d-1.replayed.1"
    assert replay_claim_event_id("d-1", 1, "c") == "d-1.replay_claimed.1.c"
    assert replay_claim_event_id("d-1", 1, "c", withdrawn=True) == "d-1.replay_claimed.1.c.withdrawn"
    assert copied_event_id(EventId("0011223344556677.4"), TaskId("parent")) == "0011223344556677.4@parent"


@given(message=texts, owner=texts, task=texts, count=st.integers(0, 2**63))
def test_a_copy_gives_its_own_id_back_whatever_the_texts(
    message: str, owner: str, task: str, count: int
) -> None:
    for own in (
        message_event_id(MessageId(message), "published"),
        counted_event_id(owner, "lost", count),
        replay_event_id(owner, count),
        replay_claim_event_id(owner, count, owner),
        attempt_event_id(AttemptId("0011223344556677"), count),
    ):
        assert own_event_id(own) == own
        assert own_event_id(copied_event_id(own, TaskId(task))) == own


@given(first=texts, second=texts)
def test_different_messages_have_different_event_ids(first: str, second: str) -> None:
    same = message_event_id(MessageId(first), "published") == message_event_id(MessageId(second), "published")
    assert same == (first == second)


def test_copies_in_different_streams_differ() -> None:
    own = EventId("a.0")
    assert copied_event_id(own, TaskId("x")) != copied_event_id(own, TaskId("y"))


@given(
    first=st.tuples(st.integers(0, 2**63), st.integers(0, 2**63)),
    second=st.tuples(st.integers(0, 2**63), st.integers(0, 2**63)),
)
def test_positions_compare_as_numbers(first: tuple[int, int], second: tuple[int, int]) -> None:
    positions = [
        stream_position(StreamId(f"{milliseconds}-{counter}")) for milliseconds, counter in (first, second)
    ]
    assert positions == [first, second]


@pytest.mark.parametrize("text", ["7", "7-", "7-0"])
def test_a_position_without_a_counter_is_the_first(text: str) -> None:
    assert stream_position(StreamId(text)) == (7, 0)
