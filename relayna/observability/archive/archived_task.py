"""One task's stream as an archive keeps it: its frames with their ids, and how many were gone before.

Owns the shape, how it is read from a log, and how two archives of one task become one. Writes nothing.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.events import RecordedEvent, decode_frame
from relayna.ids import stream_position
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.lifespan import tells_of
from relayna.streams.log import Entry, Log, StreamRange

__all__ = ["ArchivedTask", "read_task"]


class ArchivedTask(Struct, frozen=True, kw_only=True):
    """A task's frames, in the order of their ids."""

    address: TaskAddress
    entries: list[Entry]
    missing: int = 0
    """Frames that its stream once held beside these."""

    def merged(self, other: ArchivedTask) -> ArchivedTask:
        """Everything that either knows. The other is of the same task."""
        ids = {entry.stream_id for entry in self.entries}
        frames = {entry.payload for entry in self.entries}  # one that was imported has another id now
        others = [
            entry for entry in other.entries if entry.stream_id not in ids and entry.payload not in frames
        ]
        entries = sorted([*self.entries, *others], key=lambda entry: stream_position(entry.stream_id))
        added = [len(one.entries) + one.missing for one in (self, other)]
        overlap = len(others) < len(other.entries)
        # Two parts of one stream count the same frames as added; a stream that had expired counts anew.
        missing = max(0, max(added) - len(entries)) if overlap else self.missing + other.missing
        return ArchivedTask(address=self.address, entries=entries, missing=missing)

    def events(self) -> list[RecordedEvent]:
        """What its frames say."""
        task_id = self.address.task_id
        frames = (
            decode_frame(entry.payload, task_id=task_id, stream_id=entry.stream_id) for entry in self.entries
        )
        return [event for frame in frames for event in frame.events]

    def ended_at(self) -> Instant | None:
        """When the task ended; nothing when the last that says so tells that it goes on."""
        ended: Instant | None = None
        for event in self.events():
            match tells_of(event.body):
                case "ended":
                    ended = event.envelope.timestamp
                case "open":
                    ended = None
        return ended


async def read_task(log: Log, address: TaskAddress) -> ArchivedTask | None:
    """The task's stream as it is now; nothing when there is none. The log must be open. Raises `StoreError`."""
    (page,) = await log.read([StreamRange(address=address)])
    state, entries = page.state, list(page.entries)
    while page.entries and entries[-1].stream_id != state.last_id:
        after = entries[-1].stream_id
        (page,) = await log.read([StreamRange(address=address, after=after, until=state.last_id)])
        entries += page.entries
    if state.last_id is None:
        return None
    return ArchivedTask(address=address, entries=entries, missing=max(0, state.entries_added - len(entries)))
