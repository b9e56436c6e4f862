"""Reads what is stored of a task and its relatives, by default its descendants, a generation at a time, within bounds.

Owns which streams are read, in which order, and how much is held at once. Judges nothing: the projection does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final, TypeAlias

import anyio.lowlevel

from relayna.errors import ExecutionNotFound, InvalidQuery, StoreRefused
from relayna.events import RecordedEvent
from relayna.events.history import StreamFact, StreamFactName
from relayna.ids import StreamId, TaskId, Tenant, stream_position
from relayna.instants import Instant
from relayna.observability.family_history import FamilyBounds, FamilyHistory
from relayna.observability.kept_streams import KeptStream, KeptStreams, doubtful_streams, known_streams
from relayna.observability.stream_reading import ReadingBounds, StreamReading
from relayna.streams import Log, StreamPage, StreamRange, TaskAddress
from relayna.streams.log import PAGE_LIMIT, START

__all__ = ["FamilyReader", "Positions", "Relatives"]

Relatives: TypeAlias = Callable[[StreamReading], Collection[TaskId]]
"""The tasks that a stream speaks of and that are to be read as well."""

Positions: TypeAlias = Mapping[TaskId, StreamId | None]
"""Where streams ended, by task; None for those that were not there."""

_READ_AT_ONCE: Final = 100
_FIRST_PAGE: Final = 100
"""Entries; what they weigh is not known before."""
_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
_BYTES_AN_ENTRY: Final = 1024
"""Until some were seen."""
_LARGE_EVENTS: Final = 1_000
_LARGE_BYTES: Final = 1024 * 1024
_FEWEST_A_TASK: Final = 20


class FamilyReader:
    """One reading. `before_much` is waited for before more than a little is decoded."""

    def __init__(
        self,
        log: Log,
        *,
        tenant: Tenant,
        bounds: FamilyBounds,
        now: Instant,
        retention_micros: int,
        before_much: Callable[[], Awaitable[None]],
        known_by: Instant | None = None,
        positions: Positions | None = None,
        relatives: Relatives = attrgetter("children"),
        kept: KeptStreams | None = None,
    ) -> None:
        """With `known_by`, only what was offered by then; with `positions`, only what lies before them.

        Of streams that are `kept` only what is new is read, as far as they go on from there; not beside the other two.
        """
        self._log = log
        self._tenant = tenant
        self._bounds = bounds
        self._now = now
        self._retention_micros = retention_micros
        self._before_much = before_much
        self._known_by = known_by
        self._positions = positions
        self._relatives = relatives
        self._kept = kept if known_by is None and positions is None else None
        self._events = 0
        self._entries = 0
        self._bytes = 0
        self._ended: dict[TaskId, Instant] = {}
        self._history = FamilyHistory()

    async def read(self, root: TaskId, *, depth: int) -> FamilyHistory:
        """The root and `depth` generations of relatives. Raises `ExecutionNotFound`, `InvalidQuery`, `StoreError`."""
        return await self._read([root], depth=depth, has_root=True)

    async def read_all(self, tasks: Collection[TaskId], *, depth: int) -> FamilyHistory:
        """Several tasks, of which none needs to be there, and their relatives. Raises as `read`."""
        return await self._read(list(dict.fromkeys(tasks)), depth=depth, has_root=False)

    async def read_named(self, name: TaskId, tasks: Collection[TaskId], *, depth: int) -> FamilyHistory:
        """A task, or what else has that name and is made of these tasks, and their relatives.

        These tasks were recorded: of which nothing is there has expired. Raises as `read`; `ExecutionNotFound` when
        nothing is there of any of them.
        """
        if not tasks:
            return await self.read(name, depth=depth)
        history = await self.read_all([name, *tasks], depth=depth)
        there = {item.envelope.task_id for item in history.items if isinstance(item, RecordedEvent)}
        if not there:
            raise ExecutionNotFound(name)
        for task_id in tasks:
            if task_id not in there:
                self._tell(task_id, "expired")
        return history

    async def _read(self, generation: list[TaskId], *, depth: int, has_root: bool) -> FamilyHistory:
        seen = set(generation)
        for level in range(depth + 1):
            is_root = has_root and level == 0
            children: dict[TaskId, None] = {}
            for start in range(0, len(generation), _READ_AT_ONCE):
                for reading in await self._read_some(generation, start, alone=is_root):
                    self._take(reading, is_root=is_root)
                    children.update(dict.fromkeys(sorted(self._relatives(reading))))
            generation = [child for child in children if child not in seen]
            seen.update(generation)
            if not generation or level == depth:
                self._history.beyond = len(generation)
                break
            left = max(0, self._bounds.tasks - len(seen) + len(generation))
            self._leave_unread(generation[left:])
            generation = generation[:left]
        self._history.is_cut |= self._history.unread > 0 or self._bytes >= self._bounds.bytes
        return self._history

    async def _read_some(
        self, generation: Sequence[TaskId], start: int, *, alone: bool
    ) -> list[StreamReading]:
        task_ids = [task for task in generation[start : start + _READ_AT_ONCE] if self._was_there(task)]
        left = self._bounds.events - self._events
        if not task_ids or (not alone and not self._may_go_on()):
            self._leave_unread(task_ids)
            return []
        share = max(_FEWEST_A_TASK, min(self._bounds.events_a_task, left // (len(generation) - start)))
        most = max(1, min(self._entries_of_each(task_ids), share, _FIRST_PAGE))
        readings = await self._begin(task_ids, most, share, alone=alone)
        for reading in readings:
            await self._decode(reading, reading.begin())
        await self._read_on(readings)
        return readings

    async def _begin(
        self, task_ids: Sequence[TaskId], most: int, share: int, *, alone: bool
    ) -> list[StreamReading]:
        """Readings with their first pages: what is new since they were kept, or the beginning."""
        addresses = [TaskAddress(task, self._tenant) for task in task_ids]
        known = {} if self._kept is None else known_streams(self._kept, addresses)
        after = {address: stream.last_id for address, stream in known.items()}
        asked = [
            StreamRange(address=one, after=after.get(one, START), until=self._until(one.task_id), limit=most)
            for one in addresses
        ]
        pages = await self._first_pages(asked, alone=alone)
        if known:
            pages = await self._without_doubt(pages, known, most, alone=alone)
        readings = [
            StreamReading(page, self._bounds_of(page, share), known=known.get(page.address)) for page in pages
        ]
        for stream in known.values():
            self._events += stream.decoded
            self._bytes += stream.bytes
            self._entries += stream.state.length
            self._history.goes_on = True
        await self._count(pages, expected=sum(reading.expected for reading in readings))
        return readings

    async def _without_doubt(
        self, pages: list[StreamPage], known: dict[TaskAddress, KeptStream], most: int, *, alone: bool
    ) -> list[StreamPage]:
        """These pages, and the first ones of streams that are not what was kept of them, which is forgotten."""
        doubtful = doubtful_streams(known, pages)
        if not doubtful:
            return pages
        for address in doubtful:
            del known[address]
        asked = [StreamRange(address=address, limit=most) for address in doubtful]
        anew = await self._first_pages(asked, alone=alone)
        read = {page.address: page for page in (*pages, *anew)}
        return list(read.values())

    async def _read_on(self, readings: list[StreamReading]) -> None:
        while readings and self._bytes < self._bounds.bytes:
            most = self._entries_of_each(readings)
            asked = [(reading, wanted) for reading in readings if (wanted := reading.next_range(most))]
            if not asked:
                return
            pages = await self._log.read([wanted for _, wanted in asked])
            await self._count(pages)
            for (reading, _), page in zip(asked, pages, strict=True):
                await self._decode(reading, reading.add(page))
            readings = [reading for reading, _ in asked]

    async def _first_pages(self, asked: Sequence[StreamRange], *, alone: bool) -> list[StreamPage]:
        try:
            return await self._log.read(asked)
        except StoreRefused:
            if alone:
                raise
        # One stream that is none must not take the others with it.
        pages: list[StreamPage] = []
        for wanted in asked:
            try:
                pages += await self._log.read([wanted])
            except StoreRefused:
                self._tell(wanted.address.task_id, "limit_reached")
                # What lies there may become a stream, or go: nothing that we could watch tells of it.
                self._history.changes_at = Instant(0)
        return pages

    async def _decode(self, reading: StreamReading, steps: Iterator[None]) -> None:
        before = reading.decoded
        for _ in steps:
            await anyio.lowlevel.checkpoint()
        self._events += reading.decoded - before

    async def _count(self, pages: Sequence[StreamPage], *, expected: int = 0) -> None:
        size = sum(len(entry.payload) for page in pages for entry in page.entries)
        self._bytes += size
        self._entries += sum(len(page.entries) for page in pages)
        if self._events + expected > _LARGE_EVENTS or size > _LARGE_BYTES:
            await self._before_much()

    def _take(self, reading: StreamReading, *, is_root: bool) -> None:
        task_id = reading.address.task_id
        history = self._history
        self._check_against_version(reading)
        if is_root:
            if not reading.events and (self._known_by is None or not reading.decoded):
                raise ExecutionNotFound(task_id)
            history.kinds = list(reading.kinds)
        history.add(reading)
        for kind in reading.kinds:
            self._tell(task_id, "topology_kind", kind)
        if reading.trimmed:
            self._tell(task_id, "trimmed")
        if (left_out := reading.left_out) is not None:
            history.left_out[task_id] = left_out
            self._tell(task_id, "limit_reached")
        if not reading.decoded:
            self._judge_absence(task_id)
        self._ended.update(reading.ended)

    def _judge_absence(self, task_id: TaskId) -> None:
        """A task that has ended long ago may have expired: time alone makes it so."""
        ended_at = self._ended.get(task_id)
        if ended_at is None:
            return
        expires_at = Instant(ended_at + self._retention_micros)
        if expires_at < self._now:
            self._tell(task_id, "expired")
            return
        known = self._history.changes_at
        self._history.changes_at = Instant(expires_at + 1 if known is None else min(known, expires_at + 1))

    def _check_against_version(self, reading: StreamReading) -> None:
        until, last_id = self._until(reading.address.task_id), reading.position.last_id
        if until is None:
            return
        if last_id is None or stream_position(last_id) < stream_position(until) or not reading.decoded:
            problem = (
                f"the stream of {reading.address.task_id!r} does not hold what this version was made from "
                "any more; ask for an instant instead, or for the graph as it is"
            )
            raise InvalidQuery("as_of", problem)

    def _was_there(self, task_id: TaskId) -> bool:
        if self._positions is None:
            return True
        if task_id not in self._positions:
            problem = (
                f"this version was not made from {task_id!r}; ask with the depth of the answer it is from"
            )
            raise InvalidQuery("as_of", problem)
        if self._positions[task_id] is None:
            self._judge_absence(task_id)
            return False
        return True

    def _until(self, task_id: TaskId) -> StreamId | None:
        return None if self._positions is None else self._positions[task_id]

    def _bounds_of(self, page: StreamPage, share: int) -> ReadingBounds:
        return ReadingBounds(events=share, until=self._until(page.address.task_id), known_by=self._known_by)

    def _entries_of_each(self, of: Sequence[object]) -> int:
        an_entry = self._bytes // self._entries if self._entries else _BYTES_AN_ENTRY
        return max(1, min(PAGE_LIMIT, _BYTES_AT_ONCE // max(1, an_entry) // len(of)))

    def _may_go_on(self) -> bool:
        return self._events < self._bounds.events and self._bytes < self._bounds.bytes

    def _leave_unread(self, task_ids: Sequence[TaskId]) -> None:
        self._history.unread += len(task_ids)
        for task_id in task_ids:
            self._tell(task_id, "limit_reached")

    def _tell(self, task_id: TaskId, name: StreamFactName, value: str | None = None) -> None:
        fact = StreamFact(task_id=task_id, name=name, value=value)
        self._history.facts.append(fact)
        self._history.items.append(fact)
