"""Events that are too large are cut, and say what is missing."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from events.event_strategies import bodies, event_of
from hypothesis import given
from hypothesis import strategies as st

from relayna.events import DeadLetterRecorded, EventsLost, StatusPublished, TaskPublished, WorkflowStageAcked
from relayna.events.cut import BODY_LIMIT_BYTES, cut_body, cut_envelope, cut_text
from relayna.ids import MessageId


@given(body=bodies)
def test_small_bodies_are_not_touched(body: msgspec.Struct) -> None:
    assert cut_body(body) is body


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), keep=st.integers(0, 50))
def test_cut_text_starts_as_the_whole_did(text: str, keep: int) -> None:
    kept, _, mark = cut_text(text, keep).rpartition("… [cut: ")
    whole = text.encode()
    assert text.startswith(kept)
    assert keep - 4 < len(kept.encode()) <= keep or kept == text
    assert mark == f"{len(whole)} bytes, sha256 {hashlib.sha256(whole).hexdigest()}]"


@pytest.mark.parametrize("letter", ["x", "汉", "🜁"])
def test_every_field_too_large_still_fits(letter: str) -> None:
    long = letter * 100_000
    body = StatusPublished(
        status=long, message=long, meta={"a": long}, message_id=MessageId(long), stage=long
    )
    assert len(msgspec.msgpack.encode(cut_body(body))) <= BODY_LIMIT_BYTES


def test_a_map_leaves_its_size_and_hash() -> None:
    meta = {"a": "x" * 50_000}
    encoded = msgspec.msgpack.encode(meta)
    assert cut_body(TaskPublished(meta=meta)).meta == {
        "relayna.cut": {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}
    }


def test_a_dead_letter_says_how_large_it_was() -> None:
    content = bytes(100_000)
    cut = cut_body(DeadLetterRecorded(dead_letter_id="d", body=content))
    assert cut.body is not None
    assert content.startswith(cut.body)
    assert cut.body
    assert (cut.body_size, cut.body_sha256) == (100_000, hashlib.sha256(content).hexdigest())


def test_a_size_that_was_said_already_is_kept() -> None:
    cut = cut_body(
        DeadLetterRecorded(dead_letter_id="d", body=bytes(100_000), body_size=900_000, body_sha256="said")
    )
    assert (cut.body_size, cut.body_sha256) == (900_000, "said")


def test_a_long_confession_keeps_what_fits() -> None:
    ranges = tuple((number * 2, number * 2) for number in range(50_000))
    kept = cut_body(EventsLost(seq_ranges=ranges, count=50_000)).seq_ranges
    assert 100 < len(kept) < len(ranges)
    assert kept == ranges[: len(kept)]


def test_joined_messages_keep_what_fits() -> None:
    joined = tuple(MessageId(f"message {number}") for number in range(5_000))
    kept = cut_body(WorkflowStageAcked(joined_message_ids=joined)).joined_message_ids
    assert 100 < len(kept) < 5_000
    assert kept == joined[: len(kept)]


def test_envelopes_lose_labels_and_never_ids() -> None:
    long = "x" * 10_000
    envelope = event_of(
        EventsLost(), event_id=long, cause=long, parent_task_id=long, correlation_id=long, producer=long
    ).envelope
    cut = cut_envelope(envelope)
    assert (cut.event_id, cut.cause, cut.parent_task_id) == (long, long, long)
    assert cut.correlation_id == cut.producer == cut_text(long)


def test_a_small_envelope_is_not_touched() -> None:
    envelope = event_of(EventsLost()).envelope
    assert cut_envelope(envelope) is envelope
