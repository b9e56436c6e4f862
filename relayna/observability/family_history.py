"""What is read of a task and its relatives, and how much at most. Owns the shapes only."""

from __future__ import annotations

from msgspec import Struct, field

from relayna.events.history import StreamFact
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.observability.graph_version import StreamPosition
from relayna.observability.kept_streams import KeptStream
from relayna.observability.stream_reading import LeftOutEntries, StreamReading
from relayna.projections.projection import Item
from relayna.streams import StreamState, TaskAddress

__all__ = ["FamilyBounds", "FamilyHistory"]


class FamilyBounds(Struct, frozen=True, kw_only=True):
    """How much to read at most."""

    tasks: int
    events: int
    events_a_task: int
    bytes: int
    """Of payloads."""


class FamilyHistory(Struct, kw_only=True):
    """Everything that was read."""

    items: list[Item] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """The kinds of topology that the root's frames name."""
    positions: list[StreamPosition] = field(default_factory=list)
    """Of every stream that was looked at, the root's first."""
    states: list[tuple[TaskAddress, StreamState]] = field(default_factory=list)
    """Of the same streams, from before their first entry was read."""
    changes_at: Instant | None = None
    """From when on the same streams mean something else."""
    left_out: dict[TaskId, LeftOutEntries] = field(default_factory=dict)
    """Of streams that were not read whole."""
    unread: int = 0
    """Children whose streams were not read at all, for there are too many or too much was read."""
    beyond: int = 0
    """Relatives of the last generation that was asked for, which were not read either."""
    facts: list[StreamFact] = field(default_factory=list)
    """Those among the items."""
    streams: list[KeptStream | None] = field(default_factory=list)
    """What may be kept of each stream that was read, in the order in which they were; nothing where it is not all."""
    goes_on: bool = False
    """Whether some of it was kept from an earlier reading."""
    is_cut: bool = False
    """Whether a bound was met: what is left out then depends on what was read in which order."""

    def add(self, reading: StreamReading) -> None:
        """A stream that was read, after those before it."""
        self.positions.append(reading.position)
        self.states.append((reading.address, reading.state))
        self.streams.append(reading.kept())
        self.is_cut |= reading.is_cut
        self.items += reading.events
