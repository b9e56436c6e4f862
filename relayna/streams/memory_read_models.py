"""Read models in this process's memory: for tests, demonstrations and use with no server at all.

Owns rows, index, counts, leases and checkpoints as the store has them, with leases that end by the clock it is
given. Keeps nothing beyond the object's life, and talks to nobody but the log, whose feeds it lets forget.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import anyio.lowlevel
from msgspec import Struct, field
from msgspec.structs import replace

from relayna.clock import Clock, SystemClock
from relayna.ids import StreamId, TaskId, Tenant, stream_position
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.memory import MemoryLog
from relayna.streams.memory_run_records import MemoryRunRecords
from relayna.streams.read_model_changes import RowChange, Tally, changes_by_tenant, wanted_rows
from relayna.streams.read_model_index import MemberRange, entry_in, range_of, sweep_range
from relayna.streams.read_models import (
    FEED_KEPT_SECONDS,
    Checkpoint,
    CountKey,
    IndexEntry,
    IndexPage,
    Lease,
    Row,
    StoreResult,
)

__all__ = ["MemoryReadModels"]

_MICROSECONDS: Final = 1_000_000


class MemoryReadModels:
    """`ReadModels` in memory, beside a log in memory."""

    def __init__(
        self, log: MemoryLog, *, clock: Clock | None = None, feed_kept_seconds: float = FEED_KEPT_SECONDS
    ) -> None:
        """References younger than `feed_kept_seconds` stay in the log's feeds."""
        self._log = log
        self._clock = clock or SystemClock()
        self._feed_kept_seconds = feed_kept_seconds
        self._shards = [_Shard() for _ in range(log.keys.shard_count)]
        self._fences = itertools.count()
        self.run_records = MemoryRunRecords(clock=self._clock)
        """The run records that rows are written with."""

    async def acquire(self, shards: Sequence[int], owner: str, *, seconds: float) -> list[Lease]:
        """Take or renew those that nobody else holds."""
        await anyio.lowlevel.checkpoint()
        now = self._clock.now()
        held: list[Lease] = []
        for shard in shards:
            state = self._shards[shard]
            if state.is_held(now) and state.owner != owner:
                continue
            if not state.is_held(now):
                state.owner, state.token = owner, f"{owner}:{next(self._fences)}"
            state.held_until = Instant(now + round(seconds * _MICROSECONDS))
            held.append(Lease(shard, state.token))
        return held

    async def release(self, leases: Sequence[Lease]) -> None:
        """Give them up, where they are still ours."""
        await anyio.lowlevel.checkpoint()
        for lease in leases:
            if self._is_ours(lease):
                self._shards[lease.shard].held_until = self._clock.now()

    async def checkpoints(self, shards: Sequence[int]) -> list[Checkpoint | None]:
        """Of each shard."""
        await anyio.lowlevel.checkpoint()
        return [self._shards[shard].checkpoint for shard in shards]

    async def rows(self, addresses: Sequence[TaskAddress]) -> list[Row | None]:
        """What is kept of each task."""
        await anyio.lowlevel.checkpoint()
        return [self._shards[self._log.keys.shard_of(address)].row(address) for address in addresses]

    async def store(
        self,
        lease: Lease,
        *,
        rows: Sequence[Row] = (),
        removed: Sequence[TaskAddress] = (),
        checkpoint: Checkpoint | None = None,
    ) -> StoreResult:
        """Write all of it at one moment, unless the lease is not ours any more. Raises `InvalidQuery`."""
        wanted = wanted_rows(self._log.keys, lease.shard, rows=rows, removed=removed)
        await anyio.lowlevel.checkpoint()
        if not self._is_ours(lease):
            return "lease_lost"
        shard = self._shards[lease.shard]
        shard.write(
            RowChange(address, shard.row(address), _without_run(row)) for address, row in wanted.items()
        )
        self.run_records.keep(row.run for row in wanted.values() if row is not None and row.run is not None)
        if checkpoint is not None:
            shard.checkpoint = checkpoint
            self._forget(lease.shard, checkpoint.position)
        return "stored"

    async def expired(self, shard: int, *, before: Instant, limit: int) -> list[TaskAddress]:
        """Tasks whose rows were to be swept by then, the longest overdue first."""
        await anyio.lowlevel.checkpoint()
        overdue = [
            (member, tenant)
            for tenant, rows in self._shards[shard].tenants.items()
            for member in rows.members(sweep_range(before), newest_first=False, limit=limit)
        ]
        return [
            TaskAddress(TaskId(entry_in(member).task_id), tenant)
            for member, tenant in sorted(overdue)[: max(0, limit)]
        ]

    async def clear(self, lease: Lease) -> StoreResult:
        """Forget everything of the shard but its lease."""
        await anyio.lowlevel.checkpoint()
        if not self._is_ours(lease):
            return "lease_lost"
        shard = self._shards[lease.shard]
        shard.tenants.clear()
        shard.checkpoint = None
        return "stored"

    async def page(self, wanted: IndexPage) -> list[IndexEntry]:
        """One page of the index, over all shards."""
        await anyio.lowlevel.checkpoint()
        within = range_of(wanted)
        found = (
            rows.members(within, newest_first=wanted.newest_first, limit=wanted.limit)
            for rows in self._of(wanted.tenant)
        )
        merged = heapq.merge(*found, reverse=wanted.newest_first)
        return [entry_in(member) for member in itertools.islice(merged, max(0, wanted.limit))]

    async def counts(self, tenant: Tenant, days: Sequence[int]) -> dict[CountKey, int]:
        """All counts of these days that are not 0."""
        await anyio.lowlevel.checkpoint()
        summed: dict[CountKey, int] = {}
        for rows in self._of(tenant):
            for day in set(days):
                for key, count in rows.days.get(day, {}).items():
                    summed[key] = summed.get(key, 0) + count
        return {key: count for key, count in summed.items() if count}

    def _of(self, tenant: Tenant) -> Iterator[_TenantRows]:
        return (shard.tenants[tenant] for shard in self._shards if tenant in shard.tenants)

    def _is_ours(self, lease: Lease) -> bool:
        shard = self._shards[lease.shard]
        return shard.is_held(self._clock.now()) and shard.token == lease.token

    def _forget(self, shard: int, position: StreamId) -> None:
        youngest = self._clock.now() // 1000 - round(self._feed_kept_seconds * 1000)
        folded = StreamId(f"{youngest}-0") if stream_position(position)[0] > youngest else position
        self._log.trim_feed(shard, before=folded)


def _without_run(row: Row | None) -> Row | None:
    return row if row is None or row.run is None else replace(row, run=None)


class _TenantRows(Struct):
    """What a shard has of one tenant."""

    rows: dict[TaskId, Row] = field(default_factory=dict)
    index: list[bytes] = field(default_factory=list)
    days: dict[int, dict[CountKey, int]] = field(default_factory=dict)

    def members(self, within: MemberRange, *, newest_first: bool, limit: int) -> list[bytes]:
        start = (bisect_right if within.without_first else bisect_left)(self.index, within.first)
        end = max(start, bisect_left(self.index, within.end))
        if newest_first:
            return self.index[max(start, end - max(0, limit)) : end][::-1]
        return self.index[start : min(end, start + max(0, limit))]

    def count(self, key: CountKey, tally: Tally) -> None:
        day = self.days.setdefault(key.day, {})
        day[key] = day.get(key, 0) + tally.change
        if not day[key]:
            del day[key]
        if not day:
            del self.days[key.day]


class _Shard(Struct):
    """What is kept of one shard."""

    owner: str = ""
    token: str = ""
    held_until: Instant = Instant(0)
    checkpoint: Checkpoint | None = None
    tenants: dict[Tenant, _TenantRows] = field(default_factory=dict)

    def is_held(self, now: Instant) -> bool:
        return now < self.held_until

    def row(self, address: TaskAddress) -> Row | None:
        tenant = self.tenants.get(address.tenant)
        return None if tenant is None else tenant.rows.get(address.task_id)

    def write(self, changes: Iterable[RowChange]) -> None:
        for tenant, changed in changes_by_tenant(changes).items():
            kept = self.tenants.setdefault(tenant, _TenantRows())
            for task_id, row in changed.rows.items():
                if row is None:
                    kept.rows.pop(task_id, None)
                else:
                    kept.rows[task_id] = row
            for member in changed.removed:
                del kept.index[bisect_left(kept.index, member)]
            for member in changed.added:
                insort(kept.index, member)
            for key, tally in changed.tallies.items():
                kept.count(key, tally)
            if not kept.rows:
                del self.tenants[tenant]
