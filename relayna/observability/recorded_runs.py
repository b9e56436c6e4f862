"""Runs with the edges that led to them, out of their records, one after the other.

Owns that a record which cannot be read is told to whoever asked, and keeps nobody from the rest. Holds on to none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec
from msgspec import Struct

from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.projections.lineage.run_edges import Run, RunEdge
from relayna.streams.run_records import RunRecords, StoredRun

__all__ = ["RecordedRun", "recorded_runs"]


class RecordedRun(Struct, frozen=True):
    """A run, and the edges that led to it."""

    stored: StoredRun
    run: Run
    edges: list[RunEdge]


async def recorded_runs(
    records: RunRecords,
    tenant: Tenant,
    since: Instant,
    until: Instant,
    *,
    unreadable: Callable[[StoredRun], None],
) -> AsyncIterator[RecordedRun]:
    """Those that began from `since` up to and without `until`. Raises `StoreError`."""
    async for stored in records.between(tenant, since, until):
        try:
            run, edges = msgspec.msgpack.decode(stored.data, type=tuple[Run, list[RunEdge]])
        except msgspec.DecodeError:
            unreadable(stored)
        else:
            yield RecordedRun(stored, run, edges)
