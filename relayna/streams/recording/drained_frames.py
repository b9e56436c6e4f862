"""A frame that comes back from the spool, as one that goes to the log.

Owns what is known of such a frame: its bytes go as they are, and what its events are is read from them,
so that they are counted, confessed and compared as any other's. Never raises on data. Pure.
"""

from __future__ import annotations

from relayna.events import decode_frame
from relayna.events.codec import frame_events
from relayna.streams.log import START, Append
from relayna.streams.recording.held import HeldEvent
from relayna.streams.recording.pending_frame import PendingFrame

__all__ = ["drained_frame"]


def drained_frame(append: Append) -> PendingFrame:
    """The frame of this append. One that cannot be read, as of a newer version, is of no known events."""
    task_id = append.address.task_id
    frame = decode_frame(append.payload, task_id=task_id, stream_id=START)
    encoded = frame_events(append.payload)
    events = [
        HeldEvent(
            task_id,
            frame.topology_kind,
            data,
            type(event.body),
            event.envelope.attempt_id,
            event.envelope.seq,
        )
        for data, event in zip(encoded, frame.events, strict=False)
    ]
    return PendingFrame(
        task_id,
        frame.topology_kind,
        position=0,
        events=events,
        size=sum(map(len, encoded)),
        first_append_ms=0,
        tells=append.tells,
        is_held=False,
        encoded=append.payload,
    )
