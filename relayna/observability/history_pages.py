"""A task's events as they lie in its stream, a page at a time, in either direction.

Owns where a page begins and ends, and what of an event is told. Reads no more of the stream than a page needs;
folds nothing, so a record that the log holds twice is told twice, with the same `event_id`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from relayna.errors import ExecutionNotFound
from relayna.events import DeadLetterRecorded, Opaque, RecordedEvent, decode_frame, to_plain
from relayna.events.vocabulary import EVENT_TYPES, type_name
from relayna.ids import StreamId, stream_id_before, stream_position
from relayna.observability.history_cursor import HistoryPlace, decode_place, encode_place
from relayna.streams import Log, StreamPage, StreamRange, TaskAddress
from relayna.streams.log import START

__all__ = ["EVENT_TYPE_NAMES", "HistoryOrder", "HistoryPage", "HistoryWanted", "read_history"]

HistoryOrder: TypeAlias = Literal["asc", "desc"]

EVENT_TYPE_NAMES: Final = (*(event_type.__name__ for event_type, _ in EVENT_TYPES), Opaque.__name__)
"""What `event_type` can say."""

_PAYLOADS: Final = ("headers", "body")
_MOST_EXAMINED: Final = 5_000
"""Entries looked at for one page: what a filter leaves out must not make a request long."""
_MOST_AT_ONCE: Final = 200


class HistoryWanted(Struct, frozen=True, kw_only=True):
    """Which of a task's events."""

    order: HistoryOrder = "asc"
    event_types: tuple[str, ...] = ()
    """Only these; all when there are none."""
    after: StreamId | None = None
    """Only what lies behind this position of the stream."""
    until: StreamId | None = None
    """Only what lies at or before it."""
    cursor: str | None = None
    limit: int = 50


class HistoryPage(Struct, frozen=True, kw_only=True):
    """Events of one task. There may be fewer than were asked for, and more behind them."""

    task_id: str
    events: list[dict[str, Any]]  # Any: JSON values
    """Plain records (docs/events.md), each with its `position` in the stream. What a caller may not see is
    left out, and named in `withheld`."""
    trimmed: bool
    """The stream held more once: its oldest entries are gone."""
    next: str | None
    """The cursor of the next page; null when there is none."""


async def read_history(
    log: Log, address: TaskAddress, wanted: HistoryWanted, *, with_payloads: bool
) -> HistoryPage:
    """The page. Raises `ExecutionNotFound`, `InvalidQuery` for a cursor that is none, and `StoreError`.

    Without `with_payloads`, bodies and headers of dead letters are left out.
    """
    asked = (address.task_id, wanted.order, wanted.event_types, wanted.after, wanted.until)
    walk = _Walk(log, address, wanted, begin=decode_place(wanted.cursor, asked))
    found: list[_Found] = []
    while len(found) <= wanted.limit and not walk.ended and walk.examined < _MOST_EXAMINED:
        found += await walk.step()
    shown = found[: wanted.limit]
    behind = shown[-1][0] if len(found) > wanted.limit else walk.at
    return HistoryPage(
        task_id=address.task_id,
        events=[_record(place, event, with_payloads=with_payloads) for place, event in shown],
        trimmed=walk.trimmed,
        next=None if walk.ended and len(found) == len(shown) else encode_place(behind, asked),
    )


def _record(
    place: HistoryPlace, event: RecordedEvent, *, with_payloads: bool
) -> dict[str, Any]:  # Any: JSON values
    record = {**to_plain(event), "position": place.stream_id}
    if not with_payloads and isinstance(event.body, DeadLetterRecorded):
        withheld = [name for name in _PAYLOADS if record.pop(name, None) is not None]
        if withheld:
            record["withheld"] = withheld
    return record


_Found: TypeAlias = tuple[HistoryPlace, RecordedEvent]


class _Walk:
    """One way through a stream, in one direction."""

    def __init__(
        self, log: Log, address: TaskAddress, wanted: HistoryWanted, *, begin: HistoryPlace | None
    ) -> None:
        self._log = log
        self._address = address
        self._backwards = wanted.order == "desc"
        self._event_types = wanted.event_types
        self._after, self._until = wanted.after or START, wanted.until
        if begin is not None:  # its entry may hold more events
            if self._backwards:
                self._until = _least(begin.stream_id, self._until)
            else:
                self._after = _greatest(stream_id_before(begin.stream_id), self._after)
        # Of few types, what is wanted may lie far apart.
        self._at_once = _MOST_AT_ONCE if wanted.event_types else min(_MOST_AT_ONCE, wanted.limit + 1)
        self._begin = begin
        self.examined = 0
        """Entries looked at."""
        self.ended = False
        self.trimmed = False
        self.at = begin or HistoryPlace(START, 0)
        """How far it has come: this event, and all before it in this direction, were looked at."""

    async def step(self) -> list[_Found]:
        """What is wanted of the next entries."""
        page = await self._read()
        found: list[_Found] = []
        for entry in page.entries[::-1] if self._backwards else page.entries:
            frame = decode_frame(entry.payload, task_id=self._address.task_id, stream_id=entry.stream_id)
            placed = [
                (HistoryPlace(entry.stream_id, index), event) for index, event in enumerate(frame.events)
            ]
            found += filter(self._is_wanted, placed[::-1] if self._backwards else placed)
            self._pass(entry.stream_id, len(placed))
        self.examined += len(page.entries)
        self.ended = len(page.entries) < self._at_once
        return found

    async def _read(self) -> StreamPage:
        asked = StreamRange(
            address=self._address,
            after=self._after,
            until=self._until,
            limit=self._at_once,
            newest=self._backwards,
        )
        (page,) = await self._log.read([asked])
        if not page.state.length:
            raise ExecutionNotFound(self._address.task_id)
        self.trimmed = page.state.entries_added > page.state.length
        return page

    def _pass(self, stream_id: StreamId, events: int) -> None:
        if self._backwards:
            self._until, self.at = stream_id_before(stream_id), HistoryPlace(stream_id, 0)
        else:
            self._after, self.at = stream_id, HistoryPlace(stream_id, events - 1)

    def _is_wanted(self, found: _Found) -> bool:
        place, event = found
        if self._event_types and type_name(event.body) not in self._event_types:
            return False
        if self._begin is None:
            return True
        return place.key < self._begin.key if self._backwards else place.key > self._begin.key


def _least(one: StreamId, other: StreamId | None) -> StreamId:
    return one if other is None else min(one, other, key=stream_position)


def _greatest(one: StreamId, other: StreamId) -> StreamId:
    return max(one, other, key=stream_position)
