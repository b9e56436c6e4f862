"""Events of one task that go to the log together, from the first of them until the log has them.

Owns the shape and its bytes. Decides nothing about when it goes.
"""

from __future__ import annotations

from msgspec import Struct, field

from relayna.events import encode_frame
from relayna.ids import TaskId
from relayna.streams.log import Tells
from relayna.streams.recording.held import HeldEvent

__all__ = ["PendingFrame", "frame_of"]


class PendingFrame(Struct, eq=False, gc=False):
    """Events of one task that go to the log together."""

    task_id: TaskId
    topology_kind: str | None
    position: int
    """Of its first event, among all that were recorded."""
    events: list[HeldEvent] | tuple[HeldEvent, ...] = field(default_factory=list)
    """A list as long as some may be added."""
    size: int = 0
    first_append_ms: int | None = None
    """When it was first offered; from then on nothing is added to it."""
    is_doubtful: bool = False
    """It was offered and nobody knows whether it was taken: it must not be offered again unseen."""
    is_repeated: bool = False
    """It was stored before, and the store has lost it."""
    is_under_way: bool = False
    """It is being offered to the log."""
    is_spooled: bool = False
    """It was put into the spool while it was under way."""
    is_held: bool = True
    """The buffer counts its events; not those of frames that come from the spool."""
    encoded: bytes | None = None
    """The stream entry, when it comes from the spool."""
    tells: Tells | None = None
    """What its events say of their task as a whole: the last that says anything."""

    def freeze(self, now_ms: int) -> None:
        """Nothing is added to it any more."""
        if self.first_append_ms is None:
            self.first_append_ms = now_ms
        # Frames are kept for a while by the thousand; unlike lists, tuples of events are nothing that
        # the garbage collector looks at again and again.
        self.events = tuple(self.events)

    def payload(self) -> bytes:
        """The stream entry."""
        if self.encoded is not None:
            return self.encoded
        data = [event.data for event in self.events]
        return encode_frame(self.task_id, self.topology_kind, self.first_append_ms, data)


def frame_of(event: HeldEvent, position: int) -> PendingFrame:
    """A frame that begins with this event."""
    return PendingFrame(
        event.task_id, event.topology_kind, position, [event], len(event.data), tells=event.tells
    )
