"""Notices that the store went back behind what it had acknowledged, and finds out what that has cost.

A replica that takes over, or a server that comes back from its disk, may lack the last writes of the one
before. Owns the comparison of what this process has stored with what is there. Changes nothing: what is to
be stored again, and what must be confessed, are its findings.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from relayna.clock import Clock
from relayna.errors import StoreError
from relayna.events import EventsLost, decode_frame
from relayna.ids import AttemptId, StreamId, TaskId, Tenant, stream_id_before
from relayna.streams.keys import TaskAddress
from relayna.streams.log import PAGE_LIMIT, START, Entry, Log, StreamRange
from relayna.streams.recording.losses import FAILED_OVER, Loss, joined_ranges
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.recording.positions import Position, Positions
from relayna.streams.recording.retransmit_window import RetransmitWindow
from relayna.streams.recording.stream_reading import may_not_read, read_pages

__all__ = ["FailOver", "Setback"]

_STREAMS_AT_ONCE: Final = 512
_LONGEST_LAG_MS: Final = 3_600_000
"""No replica is behind for so long: a stream last written to before then may be gone for other reasons, such
as its expiry."""
_logger: Final = logging.getLogger("relayna.recorder")


class Setback(Struct, frozen=True):
    """What a store has lost of what it had acknowledged to this process."""

    frames: list[PendingFrame] = field(default_factory=list)
    """Still here, to be stored again; in order within a task."""
    losses: list[Loss] = field(default_factory=list)
    """Not here any more, to be confessed."""

    def __bool__(self) -> bool:
        return bool(self.frames or self.losses)


class FailOver:
    """Compares, when the store says that it is not the one it was."""

    def __init__(
        self, log: Log, tenant: Tenant, clock: Clock, positions: Positions, window: RetransmitWindow
    ) -> None:
        self._log = log
        self._tenant = tenant
        self._clock = clock
        self._positions = positions
        self._window = window
        self._known: dict[int, str] = {}
        self._last: Mapping[int, str] | None = None
        self.unsure: Collection[int] = ()
        """Shards of which the last look could not tell whether anything was lost."""

    @property
    def knows_every_shard(self) -> bool:
        """Whether the last look told of all shards."""
        return self._last is not None and len(self._last) == self._log.keys.shard_count

    async def look(self, shards: Collection[int]) -> Setback:
        """What was lost since the last look, in these shards above all, of which something is to be known now.

        Does not raise: what cannot be looked at stays `unsure`. Asks for nothing while the log says that it
        is the same. What is appended before a look and noted after it is on the store that the look has seen.
        """
        told = await self._log.incarnations(shards)
        if told is self._last:
            self._window.expire(self._clock.now())
            return _NOTHING
        self._last = None
        changed = {shard for shard, name in told.items() if self._known.get(shard, name) != name}
        self.unsure = changed | (self._known.keys() - told.keys())
        try:
            setback = await self._compare(changed) if changed else _NOTHING
        except StoreError as error:
            if not may_not_read(error):
                return _NOTHING
            _logger.error("After a fail-over nobody can see what it has lost: %s", error)
            setback = _NOTHING
        self._known.update(told)
        self.unsure = self._known.keys() - told.keys()
        if not self.unsure:
            self._last = told
        return setback

    async def _compare(self, shards: Collection[int]) -> Setback:
        kept = self._window.by_task()
        written = [*self._positions.written_since(_LONGEST_LAG_MS), *kept]
        tasks = [task_id for task_id in dict.fromkeys(written) if self._shard(task_id) in shards]
        gone_back: list[TaskId] = []
        for start in range(0, len(tasks), _STREAMS_AT_ONCE):
            gone_back += await self._without_their_last(tasks[start : start + _STREAMS_AT_ONCE], kept)
        setback = Setback()
        for task_id in gone_back:
            entries, was_trimmed = await self._read(task_id)
            present = {entry.payload for entry in entries}
            own = [frame for frame, _ in kept.get(task_id, ())]
            absent = [frame for frame in own if frame.payload() not in present]
            setback.frames.extend(absent)
            position = self._positions.of(task_id)
            if position is not None:
                comparison = _Comparison(task_id, position, absent, was_trimmed=was_trimmed)
                setback.losses.extend(comparison.losses(entries, is_last_kept=len(own) > 0))
        # Only now: a store that failed in between would have been half compared.
        for task_id in gone_back:
            self._positions.forget(task_id)
        self._window.take_out(setback.frames)
        return setback

    async def _without_their_last(
        self, tasks: Sequence[TaskId], kept: Mapping[TaskId, list[tuple[PendingFrame, StreamId]]]
    ) -> Iterable[TaskId]:
        """Those whose streams lack the last entry that we know of."""
        ranges: list[StreamRange] = []
        for task_id in tasks:
            position = self._positions.of(task_id)
            last = position.stream_id if position is not None else kept[task_id][-1][1]
            ranges.append(
                StreamRange(address=self._address(task_id), after=stream_id_before(last), until=last, limit=1)
            )
        pages = await read_pages(self._log, ranges)
        return [task_id for task_id, page in zip(tasks, pages, strict=True) if not page.entries]

    async def _read(self, task_id: TaskId) -> tuple[list[Entry], bool]:
        """All that is left of a stream, and whether its beginning was cut off."""
        entries: list[Entry] = []
        after = START
        while True:
            (page,) = await read_pages(self._log, [StreamRange(address=self._address(task_id), after=after)])
            entries += page.entries
            if len(page.entries) < PAGE_LIMIT:
                return entries, page.state.entries_added > page.state.length
            after = page.entries[-1].stream_id

    def _shard(self, task_id: TaskId) -> int:
        return self._log.keys.shard_of(self._address(task_id))

    def _address(self, task_id: TaskId) -> TaskAddress:
        return TaskAddress(task_id, self._tenant)


_NOTHING: Final = Setback()


class _Comparison:
    """What one task has lost for good: stored by us, not there, and not kept."""

    def __init__(
        self, task_id: TaskId, position: Position, absent: Iterable[PendingFrame], *, was_trimmed: bool
    ) -> None:
        self._task_id = task_id
        self._position = position
        self._was_trimmed = was_trimmed
        self._seqs: dict[AttemptId, set[int]] = {attempt_id: set() for attempt_id in position.highest}
        for frame in absent:
            for event in frame.events:
                if event.attempt_id is not None and event.seq is not None:
                    self._account(event.attempt_id, event.seq, event.seq)

    def losses(self, entries: Iterable[Entry], *, is_last_kept: bool) -> list[Loss]:
        """To be confessed; without numbers where the events have none."""
        for entry in entries:
            frame = decode_frame(entry.payload, task_id=self._task_id, stream_id=entry.stream_id)
            for event in frame.events:
                attempt_id, seq = event.envelope.attempt_id, event.envelope.seq
                if attempt_id is None:
                    continue
                if isinstance(event.body, EventsLost):
                    for first, last in event.body.seq_ranges:
                        self._account(attempt_id, first, last)
                elif isinstance(seq, int):
                    self._account(attempt_id, seq, seq)
        losses = [loss for attempt_id in self._seqs if (loss := self._of_attempt(attempt_id)) is not None]
        if losses or is_last_kept:
            return losses
        return [Loss(self._task_id, None, FAILED_OVER, [], self._position.events)]

    def _of_attempt(self, attempt_id: AttemptId) -> Loss | None:
        here, highest = self._seqs[attempt_id], self._position.highest[attempt_id]
        first = min(here, default=0) if self._was_trimmed else 0
        missing = [seq for seq in range(first, highest + 1) if seq not in here]
        if not missing:
            return None
        ranges = joined_ranges((seq, seq) for seq in missing)
        outcome = self._position.closed.get(attempt_id) if missing[-1] == highest else None
        return Loss(self._task_id, attempt_id, FAILED_OVER, ranges, len(missing), outcome)

    def _account(self, attempt_id: AttemptId, first: int, last: int) -> None:
        here = self._seqs.get(attempt_id)
        if here is not None:
            here.update(range(max(first, 0), min(last, self._position.highest[attempt_id]) + 1))
