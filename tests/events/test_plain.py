"""Plain records: our own come back whole, foreign ones are read as far as they go, garbage never raises."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from events.event_strategies import EVENT_CLASSES, bodies_of, envelopes, json_maps, odd_values
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.events import (
    DeadLetterRecorded,
    EventsLost,
    Opaque,
    PlainList,
    RecordedEvent,
    StatusPublished,
    TaskMessageReceived,
    TaskPublished,
    TaskResourceSampled,
    from_plain,
    to_plain,
)
from relayna.ids import TaskId
from relayna.instants import UNTIMED, format_instant

TASK = TaskId("task")
NOON = 1_767_268_800_000_000
LISTS: list[PlainList] = ["status", "observation", "dead_letter"]


def read(record: object, of: PlainList = "observation") -> tuple[RecordedEvent, list[str]]:
    """The event, which there must be, and the codes of the warnings."""
    event, warnings = from_plain(record, task_id=TASK, of=of)
    assert event is not None
    return event, [code for code, _ in warnings]


@pytest.mark.parametrize("event_type", EVENT_CLASSES, ids=lambda event_type: event_type.__name__)
@given(data=st.data())
@settings(max_examples=15)
def test_every_type_comes_back_as_it_was(event_type: type[msgspec.Struct], data: st.DataObject) -> None:
    event = RecordedEvent(envelope=data.draw(envelopes), body=data.draw(bodies_of(event_type)))
    record = msgspec.json.decode(msgspec.json.encode(to_plain(event)))
    assert from_plain(record, task_id=TASK, of="observation") == (event, [])


def test_a_plain_record_says_its_type_its_time_and_no_nulls() -> None:
    event, _ = read(
        {"event_type": "TaskMessageReceived", "timestamp": NOON, "queue_name": "orders", "seq": 0}
    )
    assert to_plain(event) == {
        "event_type": "TaskMessageReceived",
        "timestamp": "2026-01-01T12:00:00+00:00",
        "task_id": "task",
        "event_id": event.envelope.event_id,
        "seq": 0,
        "queue_name": "orders",
        "retry_attempt": 0,
        "replay_count": 0,
        "redelivered": False,
        "repeated": False,
    }


@pytest.mark.parametrize(
    "spelling",
    [
        "TaskMessageReceived",
        "task_message_received",
        "TASK_MESSAGE_RECEIVED",
        "task.message.received",
        "task-message-received",
    ],
)
def test_event_types_may_be_spelled_as_others_do(spelling: str) -> None:
    event, warnings = read({"event_type": spelling, "timestamp": NOON})
    assert (event.body, warnings) == (TaskMessageReceived(), [])


@pytest.mark.parametrize("named", ["task_teleported", "", None, 7, ["TaskPublished"], "x" * 1_000, "\ud800"])
def test_an_observation_of_unknown_type_stays_as_something_opaque(named: Any) -> None:
    event, warnings = read({"event_type": named, "timestamp": NOON})
    assert isinstance(event.body, Opaque)
    assert (event.body.reason, warnings) == ("unknown_type", ["unknown_type"])
    assert event.envelope.timestamp == NOON
    msgspec.json.encode(to_plain(event))


def test_the_list_tells_the_type_where_the_record_does_not() -> None:
    status, _ = read({"status": "completed", "timestamp": NOON}, of="status")
    letter, _ = read({"reason": "rejected", "timestamp": NOON}, of="dead_letter")
    assert isinstance(status.body, StatusPublished)
    assert isinstance(letter.body, DeadLetterRecorded)


def test_other_names_of_fields_are_understood() -> None:
    letter, _ = read(
        {"dlq_id": "d-1", "origin_message_id": "m-1", "dead_lettered_at": "2026-01-01T12:00:00Z"},
        of="dead_letter",
    )
    assert letter.body == DeadLetterRecorded(dead_letter_id="d-1", message_id="m-1")
    assert letter.envelope.timestamp == NOON


@pytest.mark.parametrize("timestamp", ["yesterday", {}, [], "9" * 5_000, float("nan"), True])
def test_a_broken_time_is_a_warning_and_the_rest_is_used(timestamp: Any) -> None:
    event, warnings = read({"status": "completed", "timestamp": timestamp}, of="status")
    assert (event.body, warnings) == (StatusPublished(status="completed"), ["bad_timestamp"])
    assert event.envelope.timestamp == UNTIMED
    assert "timestamp" not in to_plain(event)


def test_a_missing_time_is_a_warning() -> None:
    assert read({"status": "completed"}, of="status")[1] == ["bad_timestamp"]


@pytest.mark.parametrize("record", [None, 7, "text", [], ("a", 1), object()])
@pytest.mark.parametrize("of", LISTS)
def test_what_is_no_object_is_a_warning(record: object, of: PlainList) -> None:
    event, warnings = from_plain(record, task_id=TASK, of=of)
    assert event is None
    assert [code for code, _ in warnings] == ["bad_record"]


def test_a_record_without_a_field_that_it_needs_is_a_warning() -> None:
    event, warnings = from_plain({"timestamp": NOON, "message": "no status"}, task_id=TASK, of="status")
    assert event is None
    assert warnings == [("bad_record", "a status record lacks a field that StatusPublished needs")]


@pytest.mark.parametrize("meta", ["text", 7, ["a"], True])
def test_meta_that_is_no_object_is_a_warning(meta: Any) -> None:
    event, warnings = read({"status": "x", "timestamp": NOON, "meta": meta}, of="status")
    assert (event.body, warnings) == (StatusPublished(status="x"), ["bad_field"])


def test_meta_that_holds_itself_ends() -> None:
    meta: dict[str, Any] = {}
    meta["self"] = meta
    event, warnings = read({"status": "x", "timestamp": NOON, "meta": meta}, of="status")
    assert warnings == []
    msgspec.json.encode(to_plain(event))


@pytest.mark.parametrize(
    ("event_type", "field", "value"),
    [
        ("TaskMessageReceived", "retry_attempt", 2**70),
        ("TaskMessageReceived", "retry_attempt", "twice"),
        ("TaskMessageReceived", "redelivered", "perhaps"),
        ("TaskMessageReceived", "queue_name", {"a": 1}),
        ("TaskResourceSampled", "cpu_process_seconds", float("nan")),
        ("TaskResourceSampled", "cpu_process_seconds", "inf"),
        ("TaskResourceSampled", "memory_rss_bytes", "9" * 5_000),
        ("EventsLost", "seq_ranges", [[1]]),
    ],
)
def test_a_field_of_the_wrong_type_is_a_warning_and_left_out(event_type: str, field: str, value: Any) -> None:
    event, warnings = read({"event_type": event_type, "timestamp": NOON, field: value})
    assert warnings == ["bad_field"]
    assert event.body in (TaskMessageReceived(), TaskResourceSampled(), EventsLost())


def test_numbers_written_as_text_are_numbers() -> None:
    event, warnings = read(
        {"event_type": "TaskMessageReceived", "timestamp": str(NOON), "retry_attempt": "2"}
    )
    assert (event.body, warnings) == (TaskMessageReceived(retry_attempt=2), [])


def test_envelope_fields_are_read_and_a_parent_may_stand_in_meta() -> None:
    event, warnings = read(
        {
            "event_type": "TaskPublished",
            "timestamp": NOON,
            "event_id": "e-1",
            "seq": 3,
            "cause": "c-1",
            "correlation_id": 7,
            "session_id": {"not": "text"},
            "meta": {"parent_task_id": "parent"},
        }
    )
    envelope = event.envelope
    assert (envelope.event_id, envelope.seq, envelope.cause, envelope.correlation_id) == (
        "e-1",
        3,
        "c-1",
        "7",
    )
    assert (envelope.parent_task_id, envelope.session_id) == ("parent", None)
    assert warnings == ["bad_field"]


@pytest.mark.parametrize("seq", [-1, True, "1", 2**70, 1.5])
def test_a_sequence_number_that_is_none_is_left_out(seq: Any) -> None:
    event, _ = read({"event_type": "TaskPublished", "timestamp": NOON, "seq": seq})
    assert event.envelope.seq is None


def shuffled(value: Any, order: random.Random) -> Any:
    """The same content with the keys of every map in another order."""
    if isinstance(value, dict):
        names = list(value)
        order.shuffle(names)
        return {name: shuffled(value[name], order) for name in names}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


@given(record=json_maps, meta=json_maps, order=st.randoms(), surrogate=st.booleans())
def test_the_same_content_has_the_same_id_whatever_the_order_of_keys(
    record: dict[str, Any], meta: dict[str, Any], order: random.Random, surrogate: bool
) -> None:
    content = {
        **record,
        "status": "\ud800" if surrogate else "x",
        "timestamp": NOON,
        "meta": {**meta, "a": {"b": 1, "c": 2}},
    }
    content.pop("event_id", None)
    first, _ = read(content, of="status")
    second, _ = read(shuffled(content, order), of="status")
    assert first == second


@pytest.mark.parametrize(
    "spelling",
    [
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00.000000+00:00",
        "2026-01-01T14:00:00+02:00",
        "20260101T120000Z",
        NOON // 1_000_000,
        NOON // 1_000,
        str(NOON),
        datetime(2026, 1, 1, 12, tzinfo=UTC),
    ],
)
@pytest.mark.parametrize(
    ("record", "of"),
    [({"status": "x"}, "status"), ({"event_type": "odd"}, "observation"), ({"reason": "x"}, "dead_letter")],
)
def test_the_same_instant_has_the_same_id_however_it_is_spelled(
    spelling: Any, record: dict[str, Any], of: PlainList
) -> None:
    expected, _ = read({**record, "timestamp": format_instant(NOON)}, of=of)  # type: ignore[arg-type]
    assert read({**record, "timestamp": spelling}, of=of)[0] == expected


def test_the_same_type_has_the_same_id_however_it_is_spelled() -> None:
    spelled = [
        read({"event_type": name, "timestamp": NOON})[0] for name in ("TaskPublished", "task_published")
    ]
    assert spelled[0] == spelled[1]


def test_a_null_counts_as_absent() -> None:
    assert read({"status": "x", "timestamp": NOON, "stage": None}, of="status") == read(
        {"status": "x", "timestamp": NOON}, of="status"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "y"},
        {"timestamp": NOON + 1},
        {"meta": {"a": 1}},
        {"host": "unknown to us"},
        {"attempt_id": "a"},
    ],
)
def test_other_content_has_another_id(changed: dict[str, Any]) -> None:
    record = {"status": "x", "timestamp": NOON}
    assert (
        read(record, of="status")[0].envelope.event_id
        != read(record | changed, of="status")[0].envelope.event_id
    )


def test_the_list_is_part_of_the_id() -> None:
    record = {"event_type": "TaskPublished", "timestamp": NOON}
    ids = {read(record, of=of)[0].envelope.event_id for of in LISTS}
    assert len(ids) == 3
    assert {event_id.partition(":")[0] for event_id in ids} == set(LISTS)


def test_letters_without_an_id_are_told_apart_by_content() -> None:
    ids = [
        read({"reason": reason, "timestamp": NOON}, of="dead_letter")[0].body for reason in ("a", "a", "b")
    ]
    assert ids[0] == ids[1] != ids[2]


@given(
    record=st.dictionaries(
        st.sampled_from(
            [
                "event_type",
                "status",
                "timestamp",
                "meta",
                "headers",
                "body",
                "event_id",
                "seq",
                "cause",
                "dead_letter_id",
                "attempt_id",
                "seq_ranges",
                "child_task_id",
                "retry_attempt",
                "cpu_process_seconds",
                "message_id",
            ]
        )
        | st.text(max_size=5)
        | st.integers()
        | st.integers(15_000, 20_000).map(lambda bits: 2**bits),
        odd_values | st.sampled_from([event_type.__name__ for event_type in EVENT_CLASSES]),
        max_size=8,
    ),
    of=st.sampled_from(LISTS),
)
@settings(max_examples=300)
def test_no_record_raises_and_every_answer_can_be_shown(record: dict[Any, Any], of: PlainList) -> None:
    event, warnings = from_plain(record, task_id=TASK, of=of)
    msgspec.json.encode(warnings)
    if event is not None:
        msgspec.json.encode(to_plain(event), order="sorted")
        event.body != TaskPublished()  # comparable, whatever it holds  # noqa: B015
    for _, detail in warnings:
        detail.encode()
