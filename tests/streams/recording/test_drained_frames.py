"""A frame that comes back from the spool."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from streams.recording_steps import ATTEMPT, said, sampled, status

from relayna.events import StatusPublished, TaskMessageAcked, encode_event, encode_frame
from relayna.events.opaque import Opaque
from relayna.ids import TaskId
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append
from relayna.streams.recording.drained_frames import drained_frame

ORDER = TaskAddress(TaskId("order"))


def test_its_bytes_are_the_same_and_its_events_are_known() -> None:
    data = [
        encode_event(event) for event in (sampled(3), said(TaskMessageAcked(), seq=4), status("completed"))
    ]
    payload = encode_frame(ORDER.task_id, "kind", 17, data)
    frame = drained_frame(Append(ORDER, payload, "ended"))
    assert (frame.payload(), frame.tells, frame.topology_kind) == (payload, "ended", "kind")
    assert [event.data for event in frame.events] == data
    assert [event.seq for event in frame.events] == [3, 4, None]
    assert frame.events[0].attempt_id == ATTEMPT
    assert frame.events[2].event_type is StatusPublished
    assert frame.size == sum(map(len, data))
    assert not frame.is_held


def test_an_event_of_a_newer_version_is_carried_as_it_is() -> None:
    strange = encode_event(sampled(0)).replace(b"TaskResourceSampled", b"TaskResourceSimpled")
    payload = encode_frame(ORDER.task_id, None, None, [strange])
    frame = drained_frame(Append(ORDER, payload))
    assert frame.payload() == payload
    assert [event.event_type for event in frame.events] == [Opaque]


@given(noise=st.binary(max_size=100))
def test_what_is_no_frame_is_carried_as_it_is(noise: bytes) -> None:
    frame = drained_frame(Append(ORDER, noise))
    assert (frame.payload(), frame.tells) == (noise, None)
