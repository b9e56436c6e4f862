"""What is kept of what was stored."""

from __future__ import annotations

from streams.recording_steps import NOW

from relayna.ids import StreamId, TaskId
from relayna.instants import Instant
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.recording.retransmit_window import RetransmitWindow


def frame(task: str, size: int = 10) -> PendingFrame:
    return PendingFrame(TaskId(task), None, 0, [], size)


def at(seconds: float) -> Instant:
    return Instant(NOW + round(seconds * 1e6))


def tasks(window: RetransmitWindow) -> list[str]:
    return list(window.by_task())


def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    window = RetransmitWindow(max_bytes=25, max_seconds=60)
    for task in "abc":
        window.note([(frame(task), StreamId("1-0"))], NOW)
    assert tasks(window) == ["b", "c"]
    assert window.held_bytes == 20
    window.note([(frame("huge", 26), StreamId("1-0"))], NOW)
    assert tasks(window) == []
    assert window.held_bytes == 0


def test_time_passes_only_while_the_store_is_seen_to_be_the_same() -> None:
    window = RetransmitWindow(max_bytes=1_000, max_seconds=60)
    window.note([(frame("a"), StreamId("1-0"))], NOW)
    window.note([(frame("b"), StreamId("1-0"))], at(3_600))
    assert tasks(window) == ["a", "b"]
    window.expire(at(3_601))
    assert tasks(window) == ["b"]
    window.expire(at(3_661))
    assert tasks(window) == []


def test_what_is_taken_out_comes_back_when_it_is_stored_again() -> None:
    window = RetransmitWindow(max_bytes=1_000, max_seconds=60)
    frames = [frame(task) for task in "aab"]
    for number, one in enumerate(frames):
        window.note([(one, StreamId(f"{number}-0"))], NOW)
    window.take_out([frames[1]])
    assert window.by_task() == {"a": [(frames[0], "0-0")], "b": [(frames[2], "2-0")]}
    assert window.held_bytes == 20
