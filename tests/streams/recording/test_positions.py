"""What is remembered of streams, and what is forgotten."""

from __future__ import annotations

from streams.recording_steps import ATTEMPT, said, sampled, status

from relayna.events import Event, TaskMessageAcked
from relayna.ids import AttemptId, StreamId, TaskId
from relayna.streams.recording.held import hold
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.recording.positions import Positions


def frame(task: str, *events: Event) -> PendingFrame:
    return PendingFrame(TaskId(task), None, 0, [hold(event, None, None) for event in events])


def test_the_last_frame_is_remembered_with_the_highest_numbers() -> None:
    positions = Positions()
    positions.note([(frame("a", sampled(0), sampled(1)), StreamId("1-0"))])
    positions.note([(frame("a", said(TaskMessageAcked(), seq=2), status("completed")), StreamId("2-0"))])
    position = positions.of(TaskId("a"))
    assert position is not None
    assert (position.stream_id, position.events) == ("2-0", 2)
    assert position.highest == {ATTEMPT: 2}
    assert position.closed == {ATTEMPT: "TaskMessageAcked"}


def test_the_task_not_written_to_for_longest_is_forgotten() -> None:
    positions = Positions(most=2)
    for number, task in enumerate(["a", "b", "a", "c"]):
        positions.note([(frame(task, sampled(number)), StreamId(f"{number}-0"))])
    assert positions.of(TaskId("b")) is None
    assert positions.of(TaskId("a")) is not None
    positions.forget(TaskId("a"))
    assert positions.of(TaskId("a")) is None


def test_only_the_latest_attempts_of_a_task_are_remembered() -> None:
    positions = Positions()
    for number in range(9):
        attempt_id = AttemptId(f"{number:016x}")
        event = said(TaskMessageAcked(), attempt_id=attempt_id, seq=0)
        positions.note([(frame("a", event), StreamId(f"{number}-0"))])
    position = positions.of(TaskId("a"))
    assert position is not None
    assert list(position.highest) == [f"{number:016x}" for number in range(5, 9)]
    assert position.closed.keys() == position.highest.keys()


def test_age_is_told_by_the_stores_clock() -> None:
    positions = Positions()
    for task, at in (("a", 1_000), ("b", 5_000), ("c", 6_000)):
        positions.note([(frame(task, sampled(0)), StreamId(f"{at}-3"))])
    assert positions.written_since(1_000) == ["b", "c"]
    assert Positions().written_since(1_000) == []
