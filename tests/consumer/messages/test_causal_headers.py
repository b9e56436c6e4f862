"""Headers go round, foreign and broken ones do no harm, and the user's own are carried on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.memory.message import copy_headers
from relayna.consumer.messages.causal_headers import (
    CausalHeaders,
    carried_headers,
    read_headers,
    write_headers,
)

texts = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)
numbers = st.integers(0, 2**31 - 1)
causal_headers = st.builds(
    CausalHeaders,
    cause=texts,
    task_id=texts,
    session_id=texts,
    parent_task_id=texts,
    message_id=texts,
    retry_attempt=numbers,
    stage=texts,
    origin_stage=texts,
    replay_count=numbers,
    repeated=st.booleans(),
    batch_id=texts,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = [
    "cause", "task-id", "session-id", "parent-task-id", "message-id", "retry-attempt", "stage", "origin-stage",
    "replay-count", "repeated", "batch-id",
]  # fmt: skip


@given(causal_headers)
def test_what_is_written_is_read(causal: CausalHeaders) -> None:
    assert read_headers(copy_headers(write_headers(causal))) == causal


def test_nothing_is_written_for_nothing() -> None:
    assert write_headers(CausalHeaders()) == {}
    assert read_headers({}) == CausalHeaders()


def test_their_names() -> None:
    full = CausalHeaders(
        cause="c", task_id="t", session_id="s", parent_task_id="p", message_id="m", retry_attempt=1, stage="a",
        origin_stage="b", replay_count=2, repeated=True, batch_id="n",
    )  # fmt: skip
    assert sorted(write_headers(full)) == sorted(f"x-relayna-{name}" for name in NAMES)


@given(st.dictionaries(st.sampled_from([f"x-relayna-{name}" for name in NAMES]), anything))
def test_broken_headers_are_as_good_as_none(headers: dict[str, Any]) -> None:
    read = read_headers(headers)
    assert 0 <= read.retry_attempt < 2**31
    assert 0 <= read.replay_count < 2**31
    assert read.task_id is None or isinstance(read.task_id, str)


@pytest.mark.parametrize("value", [True, False, -1, 2**31, 1.0, "1", None, [1], b"1"])
def test_only_a_small_number_is_a_retry_attempt(value: object) -> None:
    assert read_headers({"x-relayna-retry-attempt": value}).retry_attempt == 0


@pytest.mark.parametrize("value", ["", b"", 7, None, ["t"]])
def test_only_text_that_says_something_is_an_id(value: object) -> None:
    assert read_headers({"x-relayna-task-id": value}).task_id is None


def test_bytes_are_text_too() -> None:
    assert read_headers({"x-relayna-task-id": "größe".encode(), "x-relayna-cause": b"\xff"}) == CausalHeaders(
        task_id="größe", cause="\ufffd"
    )


@pytest.mark.parametrize("value", [1, "true", "yes", b"1", [True]])
def test_only_true_is_repeated(value: object) -> None:
    assert not read_headers({"x-relayna-repeated": value}).repeated


def test_the_users_own_headers_are_carried_on_unchanged() -> None:
    own = {"traceparent": "00-aa-bb-01", "tracestate": "x=1", "tenant": {"id": 7}, "X-Relayna-like": 1}
    assert write_headers(CausalHeaders(cause="c"), own) == {**own, "x-relayna-cause": "c"}


@pytest.mark.parametrize(
    "name",
    [
        "x-relayna-cause", "x-relayna-made-up", "x-death", "x-first-death-queue", "x-first-death-reason",
        "x-last-death-exchange", "x-delivery-count", "x-acquired-count", "CC", "BCC",
    ],
)  # fmt: skip
def test_what_was_about_the_old_message_is_not_carried_on(name: str) -> None:
    assert carried_headers({name: ["x"], "kept": 1}) == {"kept": 1}
