"""Whatever a worker hands in becomes storable, bounded and free of secrets."""

from __future__ import annotations

import enum
import hashlib
import threading
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from events.event_strategies import bodies, json_maps, odd_values
from hypothesis import given
from hypothesis import strategies as st

from relayna.events import (
    DeadLetterRecorded,
    EventsLost,
    StatusPublished,
    TaskMessageReceived,
    TaskResourceSampled,
    WorkflowStageAcked,
)
from relayna.events.redaction import redact_keys
from relayna.events.sanitise import (
    sanitise_body,
    sanitise_value,
    storable_text,
    with_json_maps,
)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    """A subclass that MessagePack refuses."""


class Number(int):
    """Likewise."""


class Measure(float):
    """Likewise; NumPy's numbers are of this kind."""


def meta_of(meta: Any, **options: Any) -> Any:
    """What is stored for this meta."""
    return sanitise_body(StatusPublished(status="x", meta=meta), **options).meta


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        (2**70, str(2**70)),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        pytest.param(2**20_000, "[integer of 20001 bits]", id="more digits than Python prints"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (date(2026, 1, 1), "2026-01-01"),
        (timedelta(seconds=90), "0:01:30"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Decimal("1.50"), "1.50"),
        (b"text", "text"),
        (b"\xff\x00", "/wA="),
        (bytearray(b"text"), "text"),
        (memoryview(b"text"), "text"),
        ((1, "a"), [1, "a"]),
        (frozenset({1}), [1]),
        (object(), "<object>"),
        (float, "<type>"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Text("text"), "text"),
        (Number(4), 4),
        (Measure(0.5), 0.5),
        (None, None),
        (True, True),
    ],
)
def test_each_odd_value_has_one_stored_form(value: Any, expected: Any) -> None:
    stored = sanitise_value(value)
    assert stored == expected
    assert type(stored) is type(expected)
    msgspec.msgpack.encode(stored)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (1, "1"),
        (None, "None"),
        (b"raw", "raw"),
        (("a", 1), "<tuple>"),
        (Colour.RED, "red"),
        (Text("text"), "text"),
        ("\ud800", "\ufffd"),
        (2**70, str(2**70)),
    ],
)
def test_each_key_becomes_text(key: Any, expected: str) -> None:
    (stored,) = meta_of({key: "value"})
    assert stored == expected
    assert type(stored) is str


def test_keys_that_become_the_same_text_lose_no_value() -> None:
    stored = meta_of({1: "a", "1": "b", (1,): "c", (2,): "d"})
    assert sorted(stored.values()) == ["a", "b", "c", "d"]


@given(meta=json_maps)
def test_what_is_storable_stays_as_it_is(meta: dict[str, Any]) -> None:
    assert meta_of(meta) == meta


@given(value=odd_values)
def test_any_value_becomes_plain_json(value: Any) -> None:
    stored = sanitise_value(value)
    msgspec.msgpack.encode(stored)
    encoded = msgspec.json.encode(stored, order="sorted")
    assert sanitise_value(stored) == stored
    assert msgspec.json.decode(encoded) == stored


@given(body=bodies)
def test_the_thorough_way_changes_nothing_that_is_storable(body: Any) -> None:
    assert sanitise_body(body, thorough=True) == body


def test_a_map_that_holds_itself_ends() -> None:
    meta: dict[str, Any] = {"name": "loop"}
    meta["self"] = meta
    meta["list"] = [meta, meta]
    stored = meta_of(meta)
    assert stored["self"]["self"]["name"] == "loop"
    assert len(msgspec.msgpack.encode(stored)) < 1_000_000


def test_a_depth_bomb_is_cut_where_it_gets_too_deep() -> None:
    bomb: Any = "core"
    for _ in range(100_000):
        bomb = [bomb]
    stored = meta_of({"bomb": bomb})
    levels = 0
    value = stored["bomb"]
    while isinstance(value, list):
        value, levels = value[0], levels + 1
    assert (levels, value) == (31, "[cut: too deep]")


def test_a_huge_map_is_cut_and_says_how_large_it_was() -> None:
    stored = meta_of({f"key {number}": number for number in range(100_000)})
    assert stored["relayna.cut"] == {"keys": 100_000}
    assert len(stored) < 11_000


def test_a_huge_list_is_cut() -> None:
    stored = meta_of({"list": list(range(100_000))})
    assert stored["list"][-1] == "[cut: too many values]"
    assert len(stored["list"]) < 11_000


def test_text_beyond_the_budget_is_cut_with_size_and_hash() -> None:
    text = "x" * 200_000
    stored = meta_of({"first": text, "second": text, "short": "kept"})
    assert stored["first"].endswith(
        f"[cut: 200000 bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}]"
    )
    assert stored["second"] == "[cut: 200000 characters]"
    assert stored["short"] == "kept"


def test_a_long_key_is_cut_like_any_text() -> None:
    (key,) = meta_of({"k" * 200_000: 1})
    assert len(key) < 3_000


@pytest.mark.parametrize("meta", [["a"], "text", 7, ("a",)])
def test_meta_that_is_no_map_is_kept_in_one(meta: Any) -> None:
    assert meta_of(meta) == {"value": list(meta) if isinstance(meta, tuple) else meta}


def test_a_map_may_be_written_to_meanwhile() -> None:
    meta = {str(number): number for number in range(500)}
    stopped = threading.Event()

    def write() -> None:
        number = 500
        while not stopped.is_set():
            meta[str(number)] = meta.pop(str(number - 500), number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            meta_of(meta)
    finally:
        stopped.set()
        writer.join()


@given(depth=st.integers(0, 25), in_list=st.booleans())
def test_redaction_reaches_every_depth(depth: int, in_list: bool) -> None:
    meta: Any = {"api_token": ["s3cret", {"inner": "s3cret"}]}
    for _ in range(depth):
        meta = {"inner": [meta] if in_list else meta}
    assert "s3cret" not in repr(meta_of(meta, redact=redact_keys(["token"])))


@pytest.mark.parametrize("key", [b"token", Text("token"), "TOKEN", "my-token-2"])
def test_redaction_sees_every_spelling_of_a_key(key: Any) -> None:
    assert list(meta_of({key: "s3cret"}, redact=redact_keys(["Token"])).values()) == ["[redacted]"]


def test_redaction_covers_headers() -> None:
    letter = DeadLetterRecorded(dead_letter_id="d", headers={"authorization": "s3cret", "x-retry": 1})
    stored = sanitise_body(letter, redact_keys(["authorization"]))
    assert stored.headers == {"authorization": "[redacted]", "x-retry": 1}


def test_an_empty_word_hides_nothing() -> None:
    assert meta_of({"a": 1}, redact=redact_keys([""])) == {"a": 1}


def test_a_hook_that_fails_stores_no_secret_and_stops_nobody() -> None:
    def fail(key: str, value: object) -> object:
        raise RuntimeError(key)

    assert meta_of({"token": "s3cret"}, redact=fail) == {"token": "[redacted: the hook failed]"}


def test_what_a_hook_returns_is_sanitised_too() -> None:
    assert meta_of({"a": 1}, redact=lambda key, value: 2**70) == {"a": str(2**70)}


def test_the_thorough_way_keeps_the_types_of_fields() -> None:
    received = TaskMessageReceived(queue_name="\ud800", delivery_tag=2**70, retry_attempt=-(2**70))
    stored = sanitise_body(received, thorough=True)
    assert stored == TaskMessageReceived(queue_name="\ufffd", delivery_tag=2**64 - 1, retry_attempt=-(2**63))
    sampled = sanitise_body(TaskResourceSampled(cpu_process_seconds=float("nan")), thorough=True)
    assert sampled.cpu_process_seconds is None
    lost = EventsLost(seq_ranges=((0, 2**70),))
    assert sanitise_body(lost, thorough=True).seq_ranges == ((0, 2**64 - 1),)
    acked: Any = WorkflowStageAcked(joined_message_ids=("a\ud800",), stage=Colour.RED, reason=object())  # type: ignore[arg-type]
    assert sanitise_body(acked, thorough=True) == WorkflowStageAcked(
        joined_message_ids=("a\ufffd",), stage="red", reason="<object>"
    )


@given(text=st.text(st.characters()))
def test_storable_text_changes_lone_surrogates_alone(text: str) -> None:
    stored = storable_text(text)
    stored.encode()
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert stored == text


def test_maps_that_json_can_hold_are_not_touched() -> None:
    body = StatusPublished(status="x", meta={"a": [1, {"b": None}]})
    assert with_json_maps(body) is body
    odd: Any = StatusPublished(status="x", meta={"a": {1: 2}})
    assert with_json_maps(odd).meta == {"a": {"1": 2}}
