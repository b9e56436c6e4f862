"""One stream on its way to being read: its beginning, and when it is longer than may be read, its end.

Owns which part of a stream that is too long is read: its first page, or as much of that as a quarter of what
may be read, and the rest backwards from its end. So what began everything and what happened last are both
there, and what is missing lies in one piece between them. Asks no store.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from relayna.events import ChildFinished, ChildRegistered, RecordedEvent, decode_frame
from relayna.ids import StreamId, TaskId, stream_id_before, stream_position
from relayna.instants import Instant
from relayna.observability.graph_version import position_of
from relayna.observability.kept_streams import KeptStream
from relayna.streams import Entry, StreamPage, StreamRange
from relayna.streams.log import START

__all__ = ["LeftOutEntries", "ReadingBounds", "StreamReading"]

_EVENTS_A_STEP: Final = 250

_Stretch: TypeAlias = tuple[StreamId, StreamId | None]
"""Entries after the one and before the other, or up to the end that is wanted."""


class ReadingBounds(Struct, frozen=True, kw_only=True):
    """How much of one stream to read."""

    events: int
    """About so many; never less than one entry."""
    until: StreamId | None = None
    """Nothing after this entry."""
    known_by: Instant | None = None
    """Only what was first offered to the log by then."""


class LeftOutEntries(Struct, frozen=True, kw_only=True):
    """What was not read of a stream: it lies between two entries."""

    after: StreamId
    before: StreamId | None
    """None where it goes on to the end."""
    entries: int | None
    """How many; None where nobody has counted."""


class StreamReading:
    """What was read of one stream so far. It begins with the first page, of which nothing is decoded yet."""

    def __init__(self, first: StreamPage, bounds: ReadingBounds, *, known: KeptStream | None = None) -> None:
        """With what is `known`, the first page is what comes after it, to the stream's end."""
        self.address = first.address
        self.position = position_of(first.address, first.state)
        self.kinds: dict[str, None] = {}
        """Kinds of topology that its frames name."""
        self.events: list[RecordedEvent] = []
        self.children: set[TaskId] = set()
        """Those that its events speak of."""
        self.ended: dict[TaskId, Instant] = {}
        """When children of its ended, as it was told."""
        self.decoded = 0
        """Events, also those that were not known by then."""
        self._bounds = bounds
        self.state = first.state
        """As it was before the first entry was read."""
        self._known = known
        self._first = first.entries
        self._length = first.state.length
        self._entries_read = 0
        self._bytes = 0
        self._asked_for = 0
        self._unread: list[_Stretch] = []
        """The last one is read first, from its end."""
        self._end = _least(first.state.last_id, bounds.until)
        if known is not None:
            self._go_on_from(known)

    @property
    def trimmed(self) -> bool:
        """Whether entries that were in the stream are not in it any more."""
        return self.position.gone > 0

    @property
    def expected(self) -> int:
        """Events to come, as far as the stream's length tells."""
        return min(self._length - self._entries_read, self._bounds.events)

    @property
    def is_cut(self) -> bool:
        """Whether there are about as many events as may be read, or more."""
        return bool(self._unread) or self.decoded >= self._bounds.events

    @property
    def left_out(self) -> LeftOutEntries | None:
        """What is not read, once `next_range` has nothing more to ask for."""
        if not self._unread:
            return None
        counted = self._bounds.until is None
        return LeftOutEntries(
            after=self._unread[-1][0],
            before=self._unread[0][1],
            entries=max(1, self._length - self._entries_read) if counted else None,
        )

    def kept(self) -> KeptStream | None:
        """All of it, for whoever reads it again; nothing when it is not all that the stream held."""
        bounds = self._bounds
        partly = self.is_cut or bounds.until is not None or bounds.known_by is not None
        if partly or not self._length or self._entries_read != self._length:
            return None
        if self._known is not None and self._known.state.length == self._length:
            return self._known
        return KeptStream(
            state=self.state, events=self.events, kinds=self.kinds, children=frozenset(self.children),
            ended=self.ended, decoded=self.decoded, bytes=self._bytes,
        )  # fmt: skip

    def begin(self) -> Iterator[None]:
        """Decode the first page, a step at a time: between steps others may have their turn."""
        entries, self._first = self._first, []
        if not entries or self._end is None:
            return
        if self._known is not None:
            for entry in entries:
                if self._take(entry):
                    yield
            return
        head = max(1, self._bounds.events // 4)
        after = START
        taken = 0
        while taken < len(entries) and self.decoded < head:
            after = entries[taken].stream_id
            if self._take(entries[taken]):
                yield
            taken += 1
        if entries[-1].stream_id == self._end or self._entries_read == self._length:
            yield from self._take_backwards(entries[taken:], after, None)
        else:
            self._leave(after, self._end)

    def next_range(self, most: int) -> StreamRange | None:
        """What to ask for next, at most so many entries; nothing when all or enough is read."""
        if not self._unread or self.decoded >= self._bounds.events:
            return None
        after, before = self._unread[-1]
        until = self._end if before is None else stream_id_before(before)
        self._asked_for = max(1, min(most, self._bounds.events - self.decoded))
        return StreamRange(address=self.address, after=after, until=until, limit=self._asked_for, newest=True)

    def add(self, page: StreamPage) -> Iterator[None]:
        """Decode the page that `next_range` asked for, a step at a time."""
        after, before = self._unread.pop()
        stretches = len(self._unread)
        yield from self._take_backwards(page.entries, after, before)
        full = len(page.entries) >= self._asked_for
        if full and len(self._unread) == stretches and self._entries_read < self._length:
            self._unread.append((after, page.entries[0].stream_id))

    def _take_backwards(
        self, entries: list[Entry], after: StreamId, before: StreamId | None
    ) -> Iterator[None]:
        for entry in reversed(entries):
            if self.decoded >= self._bounds.events:
                self._unread.append((after, before))
                return
            if self._take(entry):
                yield
            before = entry.stream_id

    def _take(self, entry: Entry) -> bool:
        """Decode it; whether it is others' turn."""
        frame = decode_frame(entry.payload, task_id=self.address.task_id, stream_id=entry.stream_id)
        self._entries_read += 1
        self._bytes += len(entry.payload)
        steps = self.decoded // _EVENTS_A_STEP
        self.decoded += max(1, len(frame.events))
        if self._is_known(entry.stream_id, frame.events):
            self.events += frame.events
            self._gather_children(frame.events)
            if frame.topology_kind is not None:
                self.kinds[frame.topology_kind] = None
        return self.decoded // _EVENTS_A_STEP > steps

    def _go_on_from(self, known: KeptStream) -> None:
        self.kinds, self.events, self.ended = dict(known.kinds), list(known.events), dict(known.ended)
        self.children = set(known.children)
        self.decoded, self._bytes, self._entries_read = known.decoded, known.bytes, known.state.length

    def _gather_children(self, events: list[RecordedEvent]) -> None:
        for event in events:
            body = event.body
            if isinstance(body, ChildRegistered | ChildFinished):
                child, time = body.child_task_id, event.envelope.timestamp
                self.children.add(child)
                if isinstance(body, ChildFinished):
                    self.ended[child] = max(self.ended.get(child, time), time)

    def _is_known(self, stream_id: StreamId, events: list[RecordedEvent]) -> bool:
        if self._bounds.known_by is None:
            return True
        offered = events[0].first_append_ms if events else None
        return (
            stream_position(stream_id)[0] if offered is None else offered
        ) <= self._bounds.known_by // 1000

    def _leave(self, after: StreamId, end: StreamId) -> None:
        known_by = self._bounds.known_by
        if known_by is not None and stream_position(after)[0] <= known_by // 1000 < stream_position(end)[0]:
            # What was known by then mostly lies before this; behind it is what was stored late.
            middle = StreamId(f"{known_by // 1000 + 1}-0")
            self._unread += [(stream_id_before(middle), None), (after, middle)]
        else:
            self._unread.append((after, None))


def _least(one: StreamId | None, other: StreamId | None) -> StreamId | None:
    if one is None or other is None:
        return one
    return min(one, other, key=stream_position)
