"""Reads whole streams back: pages into events, and what is true of each stream beside them.

Owns the paging and its bound. Makes no judgement: projections do, from the events and the facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from relayna.events import RecordedEvent, decode_frame
from relayna.events.history import StreamFact
from relayna.ids import EventId, StreamId
from relayna.streams.keys import TaskAddress
from relayna.streams.log import PAGE_LIMIT, START, Log, StreamPage, StreamRange

__all__ = ["ENTRY_LIMIT", "Replay", "replay"]

ENTRY_LIMIT: Final = 100_000
"""Entries read of one stream, unless asked otherwise."""


class Replay(Struct, frozen=True, kw_only=True):
    """What one task's stream held when its reading began."""

    address: TaskAddress
    exists: bool
    """Whether there is a stream; one may exist and hold nothing any more."""
    last_id: StreamId | None = None
    """How far it was read, and the version of what it says."""
    events: list[RecordedEvent] = field(default_factory=list)
    """In the log's order, exact repeats left out."""
    facts: list[StreamFact] = field(default_factory=list)


async def replay(
    log: Log, addresses: Iterable[TaskAddress], *, entry_limit: int = ENTRY_LIMIT
) -> list[Replay]:
    """Read the streams of these tasks, in the order given; an absent one is empty.

    All first pages are one round trip. Further pages end at the last id that the first one saw, so
    that a stream which is being written to ends too. At most `entry_limit` entries of each are read.
    Raises `StoreError`.
    """
    limit = max(1, min(PAGE_LIMIT, entry_limit))
    ranges = [StreamRange(address=address, limit=limit) for address in addresses]
    if not ranges:
        return []
    readings = [_Reading(page, entry_limit) for page in await log.read(ranges)]
    while unread := [(reading, wanted) for reading in readings if (wanted := reading.next_range())]:
        for (reading, _), page in zip(unread, await log.read([wanted for _, wanted in unread]), strict=True):
            reading.add(page)
    return [reading.result() for reading in readings]


class _Reading:
    """One stream on its way to being read."""

    def __init__(self, first: StreamPage, entry_limit: int) -> None:
        self._address = first.address
        self._state = first.state
        self._entry_limit = entry_limit
        self._entries = 0
        self._after = START
        self._ended = False
        self._kinds: dict[str, None] = {}
        self._events: list[RecordedEvent] = []
        self._first: dict[EventId, RecordedEvent] = {}
        self.add(first)

    def add(self, page: StreamPage) -> None:
        for entry in page.entries:
            frame = decode_frame(entry.payload, task_id=self._address.task_id, stream_id=entry.stream_id)
            if frame.topology_kind is not None:
                self._kinds[frame.topology_kind] = None
            for event in frame.events:
                self._add_event(event)
        self._entries += len(page.entries)
        self._ended = not page.entries or page.entries[-1].stream_id == self._state.last_id
        if page.entries:
            self._after = page.entries[-1].stream_id

    def next_range(self) -> StreamRange | None:
        """What to read next; nothing when the end, as it was at the start, or the limit is reached."""
        left = self._entry_limit - self._entries
        if self._ended or left <= 0:
            return None
        return StreamRange(
            address=self._address,
            after=self._after,
            until=self._state.last_id,
            limit=min(PAGE_LIMIT, left),
        )

    def result(self) -> Replay:
        return Replay(
            address=self._address,
            exists=self._state.last_id is not None,
            last_id=self._state.last_id if self._ended else self._after,
            events=self._events,
            facts=self._facts(),
        )

    def _add_event(self, event: RecordedEvent) -> None:
        first = self._first.setdefault(event.envelope.event_id, event)
        # A batch whose answer was lost is appended again; two facts under one id are both kept.
        if first is event or first.body != event.body or first.envelope != event.envelope:
            self._events.append(event)

    def _facts(self) -> list[StreamFact]:
        task_id = self._address.task_id
        facts = [StreamFact(task_id=task_id, name="topology_kind", value=kind) for kind in self._kinds]
        if self._state.entries_added > self._state.length:
            facts.append(StreamFact(task_id=task_id, name="trimmed"))
        if not self._ended:
            facts.append(StreamFact(task_id=task_id, name="limit_reached"))
        return facts
