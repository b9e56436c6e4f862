"""The envelope's stored order, which only ever grows at its end, and the two types of event."""

from __future__ import annotations

import msgspec

from relayna.events import Envelope, Event, RecordedEvent, TaskMessageAcked
from relayna.ids import EventId, TaskId
from relayna.instants import Instant

ENVELOPE = Envelope(event_id=EventId("e.0"), timestamp=Instant(7), task_id=TaskId("task"))


def test_the_stored_order_only_grows() -> None:
    assert Envelope.__struct_fields__[:10] == (
        "event_id", "timestamp", "task_id", "attempt_id", "seq",
        "cause", "parent_task_id", "session_id", "correlation_id", "producer",
    )  # fmt: skip


def test_three_fields_say_enough() -> None:
    assert [field.name for field in msgspec.structs.fields(Envelope) if field.required] == [
        "event_id",
        "timestamp",
        "task_id",
    ]


def test_an_envelope_is_stored_as_an_array() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ENVELOPE))[:3] == ["e.0", 7, "task"]


def test_what_is_said_has_no_place_and_what_is_stored_has() -> None:
    assert Event.__struct_fields__ == ("envelope", "body")
    recorded = RecordedEvent(envelope=ENVELOPE, body=TaskMessageAcked())
    assert (recorded.stream_id, recorded.index, recorded.version, recorded.first_append_ms) == (
        "0-0",
        0,
        1,
        None,
    )
