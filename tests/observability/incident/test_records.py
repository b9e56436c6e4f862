"""Events come back from their records as they were, without what must not be given away."""

from __future__ import annotations

import msgspec
import pytest
from events.event_strategies import events
from hypothesis import given
from hypothesis import strategies as st

from relayna.events import (
    DEFAULT_REDACTION,
    DeadLetterRecorded,
    Envelope,
    Event,
    Opaque,
    RecordedEvent,
    StatusPublished,
    TaskHandlerFailed,
)
from relayna.ids import EventId, StreamId, TaskId
from relayna.instants import UNTIMED, Instant
from relayna.observability.incident.records import event_of, given_away, record_of

ENVELOPE = Envelope(event_id=EventId("e"), timestamp=Instant(1), task_id=TaskId("T"))


def told(body: object) -> RecordedEvent:
    return RecordedEvent(envelope=ENVELOPE, body=body, stream_id=StreamId("5-6"))  # type: ignore[arg-type]


def back(event: RecordedEvent) -> RecordedEvent:
    return event_of(msgspec.json.decode(msgspec.json.encode(record_of(event))))


@given(event=events, index=st.integers(0, 9), first=st.none() | st.integers(0, 2**40))
def test_every_event_comes_back_as_it_was(event: Event, index: int, first: int | None) -> None:
    stored = RecordedEvent(
        envelope=event.envelope,
        body=event.body,
        version=1,
        stream_id=StreamId("1-2"),
        index=index,
        first_append_ms=first,
    )
    given_one = given_away(stored, DEFAULT_REDACTION, with_payloads=True)
    assert back(given_one) == given_one
    assert given_away(given_one, DEFAULT_REDACTION, with_payloads=True) == given_one


@pytest.mark.parametrize(
    "event",
    [
        told(Opaque(reason="corrupt", problem="no", version=7, digest="d")),
        RecordedEvent(
            envelope=msgspec.structs.replace(ENVELOPE, timestamp=UNTIMED), body=StatusPublished(status="s")
        ),
        told(StatusPublished(status="", meta={"a": [1, 2.5, None, {"b": "\x00\u202e"}], "n": 2**64 - 1})),
    ],
    ids=["unreadable", "untimed", "deep"],
)
def test_odd_ones_too(event: RecordedEvent) -> None:
    assert back(event) == event


def test_secrets_and_payloads_stay_here() -> None:
    letter = DeadLetterRecorded(
        dead_letter_id="d", headers={"x": 1}, body=b'{"a": 1}', body_size=8, body_sha256="e" * 64
    )
    without = given_away(told(letter), DEFAULT_REDACTION, with_payloads=False).body
    assert without == DeadLetterRecorded(dead_letter_id="d", body_size=8)
    secret = DeadLetterRecorded(dead_letter_id="d", headers={"api_key": "k"}, body=b'{"token": "t"}')
    withheld = given_away(told(secret), DEFAULT_REDACTION, with_payloads=True).body
    assert isinstance(withheld, DeadLetterRecorded)
    assert (withheld.headers, withheld.body) == ({"api_key": "[redacted]"}, b'{"token":"[redacted]"}')
    failed = TaskHandlerFailed(exception_message="password=hunter2")
    assert "hunter2" not in repr(given_away(told(failed), DEFAULT_REDACTION, with_payloads=True))
    problem = told(Opaque(reason="corrupt", problem="password=hunter2"))
    assert "hunter2" not in repr(given_away(problem, DEFAULT_REDACTION, with_payloads=True))


GOOD = record_of(told(StatusPublished(status="s")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_type": "Nothing"},
        {"event_type": 5},
        {"timestamp": "soon"},
        {"place": None},
        {"place": ["5", 0, 1, None]},
        {"place": ["5-6", 0, 1]},
        {"status": 7},
        {"event_id": None},
        {"event_type": "DeadLetterRecorded"},
    ],
    ids=str,
)
def test_what_no_record_of_ours_says_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        event_of({**GOOD, **wrong})
