"""Bytes and events: what was said is what is read, and nothing that is read raises."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from events.event_strategies import EVENT_CLASSES, bodies_of, envelopes, event_of, events, odd_values
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.events import (
    Event,
    Frame,
    Opaque,
    RecordedEvent,
    StatusPublished,
    TaskMessageAcked,
    redact_keys,
    to_plain,
)
from relayna.events.codec import decode_frame, decode_recorded, encode_event, encode_frame, encode_recorded
from relayna.events.cut import BODY_LIMIT_BYTES
from relayna.ids import StreamId, TaskId

TASK = TaskId("task")
ENTRY = StreamId("1767225600123-4")
PACK = msgspec.msgpack.encode
NEW_YEAR_2026 = 1_767_225_600_000_000


def stored(*payloads: bytes, task_id: TaskId = TASK, topology_kind: str | None = None) -> list[RecordedEvent]:
    """What a reader of the task's stream gets for one frame of these events."""
    frame = encode_frame(task_id, topology_kind, 1_767_225_600_000, payloads)
    return decode_frame(frame, task_id=task_id, stream_id=ENTRY).events


def stored_event(event: Event) -> RecordedEvent:
    (recorded,) = stored(encode_event(event))
    return recorded


@pytest.mark.parametrize("event_type", EVENT_CLASSES, ids=lambda event_type: event_type.__name__)
@given(data=st.data())
@settings(max_examples=15)
def test_every_type_comes_back_as_it_was_said(event_type: type[msgspec.Struct], data: st.DataObject) -> None:
    event = Event(envelope=data.draw(envelopes), body=data.draw(bodies_of(event_type)))
    recorded = stored_event(event)
    assert (recorded.envelope, recorded.body) == (event.envelope, event.body)
    assert type(recorded.body) is event_type


def test_a_recorded_event_knows_its_place() -> None:
    first, second = stored(
        encode_event(event_of(TaskMessageAcked())),
        encode_event(event_of(StatusPublished(status="completed"))),
    )
    assert (first.stream_id, first.index, second.index) == (ENTRY, 0, 1)
    assert (first.first_append_ms, first.version) == (1_767_225_600_000, 1)


def test_a_frame_says_which_topology_wrote_it() -> None:
    payload = encode_frame(TASK, "shared_status_workflow", None, [])
    assert decode_frame(payload, task_id=TASK, stream_id=ENTRY) == Frame(
        topology_kind="shared_status_workflow", events=[]
    )


@given(event=events)
@settings(max_examples=50)
def test_snapshots_keep_a_recorded_event_whole(event: Event) -> None:
    recorded = stored_event(event)
    assert decode_recorded(encode_recorded(recorded)) == recorded


@given(status=odd_values, meta=odd_values, correlation_id=odd_values, timestamp=odd_values)
def test_no_value_that_a_program_can_hand_in_raises(
    status: Any, meta: Any, correlation_id: Any, timestamp: Any
) -> None:
    event = event_of(
        StatusPublished(status=status, meta=meta), correlation_id=correlation_id, timestamp=timestamp
    )
    stored(encode_event(event, redact_keys(["secret"])))


@given(meta=odd_values)
def test_odd_values_in_meta_cost_no_event(meta: Any) -> None:
    recorded = stored_event(event_of(StatusPublished(status="processing", meta=meta)))
    assert isinstance(recorded.body, StatusPublished)
    msgspec.json.encode(to_plain(recorded), order="sorted")


@pytest.mark.parametrize("task_id", ["lone \ud800", "", "a/b{c}", "\x00", "x" * 5_000])
def test_any_task_id_can_be_stored(task_id: str) -> None:
    (recorded,) = stored(encode_event(event_of(TaskMessageAcked(), task_id=task_id)), task_id=TaskId(task_id))
    assert recorded.body == TaskMessageAcked()


def test_a_body_outside_the_vocabulary_is_a_mistake_of_the_program() -> None:
    with pytest.raises(KeyError, match="Opaque"):
        encode_event(event_of(Opaque(reason="corrupt")))


@given(
    message=st.integers(0, 200_000),
    values=st.integers(0, 3_000),
    letter=st.sampled_from(["x", "ä", "汉", "🜁", "\n"]),
    label=st.integers(0, 50_000),
)
@settings(max_examples=25, deadline=None)
def test_a_stored_event_is_never_much_larger_than_the_limit(
    message: int, values: int, letter: str, label: int
) -> None:
    body = StatusPublished(
        status="failed",
        message=letter * message,
        meta={f"key {number}": letter * 5 for number in range(values)},
    )
    payload = encode_event(event_of(body, correlation_id=letter * label, producer=letter * label))
    assert len(payload) <= BODY_LIMIT_BYTES + 8 * 1024
    (recorded,) = stored(payload)
    assert isinstance(recorded.body, StatusPublished)


def test_what_was_cut_leaves_its_size_and_hash() -> None:
    message = "ä" * 50_000
    recorded = stored_event(event_of(StatusPublished(status="failed", message=message)))
    assert isinstance(recorded.body, StatusPublished)
    digest = hashlib.sha256(message.encode()).hexdigest()
    assert str(recorded.body.message).endswith(f"[cut: 100000 bytes, sha256 {digest}]")
    assert recorded.body.status == "failed"


@given(
    depth=st.integers(0, 14),
    in_list=st.booleans(),
    key=st.sampled_from(["password", "DB_PASSWORD", "user-password-2", b"password"]),
)
@settings(max_examples=40)
def test_no_secret_is_left_in_the_bytes_at_any_depth(depth: int, in_list: bool, key: Any) -> None:
    meta: Any = {key: {"value": "hunter2", "more": ["hunter2"]}, "kept": "in the clear"}
    for _ in range(depth):
        meta = {"inner": [meta] if in_list else meta}
    payload = encode_event(event_of(StatusPublished(status="x", meta=meta)), redact_keys(["password"]))
    assert b"hunter2" not in payload
    assert b"in the clear" in payload


def test_secrets_stay_hidden_when_the_event_needs_the_thorough_way() -> None:
    body = StatusPublished(status="x", message="\ud800", meta={"token": "hunter2"})
    assert b"hunter2" not in encode_event(event_of(body), redact_keys(["token"]))


def test_a_newer_relayna_may_append_fields_anywhere() -> None:
    event = [
        "TaskMessageAcked",
        1,
        ["e.0", 7, "task", None, None, None, None, None, None, None, "new"],
        [None] * 9,
    ]
    frame = PACK([1, "task", None, None, [[*event, "new"]], "new"])
    (recorded,) = decode_frame(frame, task_id=TASK, stream_id=ENTRY).events
    assert (recorded.body, recorded.envelope.event_id) == (TaskMessageAcked(), "e.0")


@pytest.mark.parametrize(
    ("event", "reason", "type_name"),
    [
        (["TaskTeleported", 1, ["e.1", 7, "task"], ["x"]], "unknown_type", "TaskTeleported"),
        (["TaskMessageAcked", 2, ["e.1", 7, "task"], []], "unknown_version", "TaskMessageAcked"),
        (["TaskMessageAcked", 0, ["e.1", 7, "task"], []], "unknown_version", "TaskMessageAcked"),
        (["StatusPublished", 1, ["e.1", 7, "task"], [3]], "corrupt", "StatusPublished"),
        (["StatusPublished", 1, ["e.1", 7, "task"], {}], "corrupt", "StatusPublished"),
    ],
)
def test_what_cannot_be_read_keeps_its_envelope(event: list[Any], reason: str, type_name: str) -> None:
    (recorded,) = stored(PACK(event))
    assert isinstance(recorded.body, Opaque)
    assert (recorded.body.reason, recorded.body.type_name) == (reason, type_name)
    assert (recorded.envelope.event_id, recorded.envelope.timestamp) == ("e.1", 7)
    assert recorded.body.digest == hashlib.sha256(PACK(event)).hexdigest()


@pytest.mark.parametrize(
    "event",
    [
        ["TaskMessageAcked", 1, ["e.1"], []],
        [1, 2],
        "text",
        None,
        ["TaskMessageAcked", 1, ["e.1", 7, "other"], []],
    ],
)
def test_an_event_without_a_readable_envelope_is_named_for_its_place(event: Any) -> None:
    good = encode_event(event_of(TaskMessageAcked()))
    before, broken, after = stored(good, PACK(event), good)
    assert isinstance(before.body, TaskMessageAcked)
    assert isinstance(after.body, TaskMessageAcked)
    assert isinstance(broken.body, Opaque)
    assert broken.body.reason == "corrupt"
    assert broken.envelope.event_id == f"{ENTRY}.corrupt.1"
    assert (broken.envelope.task_id, broken.envelope.timestamp) == ("task", NEW_YEAR_2026)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "corrupt"),
        (b"\xc1", "corrupt"),
        (b"\x91" * 200_000, "corrupt"),
        (PACK([1, "task", None, None, 5]), "corrupt"),
        (PACK([1, "another", None, None, []]), "corrupt"),
        (PACK([2, "task", None, None, []]), "unknown_version"),
    ],
)
def test_a_frame_that_cannot_be_read_is_one_opaque_event(payload: bytes, reason: str) -> None:
    (recorded,) = decode_frame(payload, task_id=TASK, stream_id=ENTRY).events
    assert isinstance(recorded.body, Opaque)
    assert recorded.body.reason == reason
    assert recorded.envelope.timestamp == 1_767_225_600_123_000  # the entry's own time


def test_damage_that_spells_an_impossible_time_can_still_be_kept_and_shown() -> None:
    frame = PACK([1, "task", None, 2**64 - 1, [PACK("x")]])
    (recorded,) = decode_frame(frame, task_id=TASK, stream_id=ENTRY).events
    encode_recorded(recorded)
    assert to_plain(recorded)["timestamp"].startswith("9999-")


def sample_frame() -> bytes:
    """A frame of three different events, with a map and text."""
    said = [
        event_of(StatusPublished(status="processing", meta={"a": [1, {"b": None}], "c": "text"}), seq=1),
        event_of(TaskMessageAcked(queue_name="orders", delivery_tag=7), attempt_id="0011223344556677"),
        event_of(EVENT_CLASSES[0](message_id="m-1", meta={"k": 1.5})),
    ]
    return encode_frame(
        TASK, "shared_tasks_shared_status", 1_767_225_600_000, [encode_event(event) for event in said]
    )


def must_be_usable(payload: bytes) -> None:
    """Whatever the bytes, the answer can be shown as canonical JSON and kept in a snapshot."""
    frame = decode_frame(payload, task_id=TASK, stream_id=ENTRY)
    for recorded in frame.events:
        msgspec.json.encode(to_plain(recorded), order="sorted")
        encode_recorded(recorded)


def test_a_frame_cut_at_any_byte_never_raises() -> None:
    whole = sample_frame()
    for length in range(len(whole)):
        must_be_usable(whole[:length])


def test_one_changed_byte_anywhere_never_raises() -> None:
    whole = sample_frame()
    for place in range(len(whole)):
        for value in (
            0x00,
            0x7F,
            0x80,
            0x81,
            0x90,
            0xC0,
            0xC1,
            0xC7,
            0xCB,
            0xD4,
            0xD6,
            0xDD,
            0xDF,
            0xE0,
            0xFF,
        ):
            must_be_usable(whole[:place] + bytes([value]) + whole[place + 1 :])


@given(edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=12))
def test_mutated_bytes_never_raise(edits: list[tuple[int, int]]) -> None:
    payload = bytearray(sample_frame())
    for place, value in edits:
        payload[place % len(payload)] = value
    must_be_usable(bytes(payload))


@given(payload=st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(payload: bytes) -> None:
    must_be_usable(payload)


@given(meta=st.binary(max_size=40))
def test_arbitrary_bytes_in_the_place_of_a_map_never_raise(meta: bytes) -> None:
    body = msgspec.Raw(b"\x93\xa1x\xc0" + meta)
    must_be_usable(encode_frame(TASK, None, None, [PACK(["StatusPublished", 1, ["e.1", 7, "task"], body])]))


@pytest.mark.parametrize(
    "value",
    [
        b"\x81\x01\x02",
        b"\x81\xc0\x02",
        b"\x81\x90\x02",
        b"\xd4\x05\x01",
        b"\xd6\xff\x00\x00\x00\x01",
        b"\xc4\x01\xff",
        b"\xcb\x7f\xf8" + b"\x00" * 6,
    ],
    ids=["integer key", "null key", "array key", "extension", "timestamp", "binary", "not a number"],
)
def test_maps_that_json_cannot_hold_are_made_such_that_it_can(value: bytes) -> None:
    event = PACK(["StatusPublished", 1, ["e.1", 7, "task"], msgspec.Raw(b"\x93\xa1x\xc0\x81\xa1k" + value)])
    (recorded,) = stored(event)
    assert isinstance(recorded.body, StatusPublished)
    must_be_usable(encode_frame(TASK, None, None, [event]))
