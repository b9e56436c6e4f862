"""The buffer's order, bounds and bell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from streams.recording_steps import sampled, status

from relayna.streams.recording.buffer import Admission, Buffer
from relayna.streams.recording.held import HeldEvent, hold

OBSERVATION = hold(sampled(0), None, None)
STATUS = hold(status("completed"), None, None)


def test_events_are_taken_in_order_with_their_positions() -> None:
    buffer = Buffer(max_events=10, max_bytes=10_000)
    assert buffer.put(OBSERVATION) is Admission.HELD
    buffer.put(STATUS)
    assert (buffer.recorded, buffer.taken, buffer.fresh_events) == (2, 0, 2)
    assert buffer.take() == (0, [OBSERVATION, STATUS])
    buffer.put(STATUS)
    assert (buffer.recorded, buffer.taken, buffer.fresh_events) == (3, 2, 1)
    assert buffer.take() == (2, [STATUS])
    assert buffer.take() == (3, [])


def test_what_is_taken_is_held_until_released() -> None:
    buffer = Buffer(max_events=1, max_bytes=10_000)
    buffer.put(OBSERVATION)
    buffer.take()
    assert (buffer.held_events, buffer.held_bytes) == (1, len(OBSERVATION.data))
    assert buffer.put(OBSERVATION) is Admission.FULL
    buffer.release(1, len(OBSERVATION.data))
    assert (buffer.held_events, buffer.held_bytes) == (0, 0)
    assert buffer.put(OBSERVATION) is Admission.HELD


def test_it_rings_once_when_so_much_is_fresh() -> None:
    buffer = Buffer(max_events=10, max_bytes=10_000)
    assert not buffer.wake_at(2, 10_000)
    admissions = [buffer.put(OBSERVATION) for _ in range(4)]
    assert admissions == [Admission.HELD, Admission.HELD_AND_DUE, Admission.HELD, Admission.HELD]
    assert buffer.wake_at(4, 10_000)
    assert not buffer.wake_at(10, 5 * len(OBSERVATION.data))
    assert buffer.put(OBSERVATION) is Admission.HELD_AND_DUE


@given(
    events=st.lists(st.sampled_from([OBSERVATION, STATUS]), max_size=60),
    max_events=st.integers(0, 20),
    max_bytes=st.integers(0, 2_000),
)
def test_observations_fill_it_once_and_vital_events_twice(
    events: list[HeldEvent], max_events: int, max_bytes: int
) -> None:
    buffer = Buffer(max_events=max_events, max_bytes=max_bytes)
    for event in events:
        before = (buffer.held_events + 1, buffer.held_bytes + len(event.data))
        times = 2 if event is STATUS else 1
        fits = before[0] <= times * max_events and before[1] <= times * max_bytes
        assert (buffer.put(event) is not Admission.FULL) is fits
    held = buffer.take()[1]
    assert (len(held), sum(len(event.data) for event in held)) == (buffer.held_events, buffer.held_bytes)
