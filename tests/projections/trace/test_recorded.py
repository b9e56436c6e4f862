"""Recorded spans and outputs as a history: what is not sound is left out and counted, what is told twice counts once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from relayna.events import Envelope, OutputRecorded, RecordedEvent, SpanEnded
from relayna.ids import AttemptId, EventId, TaskId
from relayna.instants import Instant
from relayna.projections.trace.profile import analyse
from relayna.projections.trace.recorded import gather_rows, recorded_history

START = 1_767_225_600_000_000


def event(body: Any, event_id: str, *, task_id: str = "t", attempt: str | None = None) -> RecordedEvent:
    envelope = Envelope(
        event_id=EventId(event_id),
        timestamp=Instant(START),
        task_id=TaskId(task_id),
        attempt_id=None if attempt is None else AttemptId(attempt),
    )
    return RecordedEvent(envelope=envelope, body=body)


def span(**more: Any) -> SpanEnded:
    return SpanEnded(**{"name": "read", "started_at": Instant(START), "ended_at": Instant(START + 5), **more})


def test_a_span_is_of_its_task_unless_it_says_otherwise() -> None:
    rows = gather_rows(
        [
            event(span(), "1", attempt="x"),
            event(span(data_id="d", attributes={"relayna.attempt_id": "y"}), "2"),
            event(span(attributes={"relayna.attempt_id": 7}), "3"),
        ]
    )
    assert [(told.data_id, told.attempt_id) for told in rows.spans] == [("t", "x"), ("d", "y"), ("t", None)]


@pytest.mark.parametrize(
    "wrong",
    [
        span(name=""),
        span(type="dream"),
        span(ended_at=Instant(START - 1)),
        span(started_at=Instant(-(2**62)), ended_at=Instant(START)),
        OutputRecorded(data_id=""),
        OutputRecorded(data_id="d", version=-1),
    ],
)
def test_what_is_not_sound_is_left_out_and_counted(wrong: Any) -> None:
    rows = gather_rows([event(wrong, "1"), event(span(), "2")])
    assert (len(rows.spans), rows.outputs, rows.dropped) == (1, [], 1)


def test_a_fact_that_is_stored_twice_counts_once_and_of_two_tasks_are_two() -> None:
    rows = gather_rows([event(span(), "1"), event(span(), "1"), event(span(), "1", task_id="other")])
    assert len(rows.spans) == 2


def test_outputs_are_assets_and_sources_and_some_are_sources_alone() -> None:
    history = recorded_history(
        "s",
        [
            event(OutputRecorded(data_id="d", sources=("b", "c"), version=2, user_id="ada"), "1"),
            event(OutputRecorded(data_id="d", sources=("e",), version=0), "2"),
        ],
    )
    assert [(one.asset_guid, one.version, one.user_id) for one in history.outputs] == [("d", 2, "ada")]
    assert [(one.data_id, one.source_data_id) for one in history.sources] == [
        ("d", "b"),
        ("d", "c"),
        ("d", "e"),
    ]


def test_a_mark_of_another_run_and_an_upload_take_no_attempt_apart() -> None:
    """The child's own attempt stays its work, whoever else tells of it."""
    second = 1_000_000
    events = [
        event(span(name="task", data_id="c", ended_at=Instant(START + 4 * second)), "1", attempt="own"),
        event(
            span(name="queuing for execution", type="marker", data_id="c", started_at=Instant(START + 5),
                 ended_at=Instant(START + 5)),
            "2", attempt="of the batch",
        ),
        event(span(name="gpu", data_id="c", ended_at=Instant(START + second)), "3"),
    ]  # fmt: skip
    for order in range(6):
        random.Random(order).shuffle(events)
        [run] = analyse(recorded_history("s", events)).per_data_id
        assert (run.duration_seconds, run.retry_seconds) == (4.0, 0.0)
