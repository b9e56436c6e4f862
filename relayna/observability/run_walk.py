"""Walks over the records of runs, one after the other. Owns that it holds on to none of them.

What the bytes of a record mean, `run_records/encoding.py` knows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

import anyio.lowlevel

from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.run_records.encoding import KeptRun, decode_run
from relayna.streams.run_records import RunRecords, StoredRun

__all__ = ["AHEAD_MICROS", "walk_runs"]

AHEAD_MICROS: Final = 86_400 * 1_000_000
"""So far may the clocks of workers be ahead of ours."""
_AT_ONCE: Final = 200


async def walk_runs(
    records: RunRecords,
    tenant: Tenant,
    since: Instant,
    until: Instant,
    *,
    unreadable: Callable[[StoredRun], None],
) -> AsyncIterator[KeptRun]:
    """Runs that began from `since` up to and without `until`, with the edges that led to them.

    A record that cannot be read is handed to `unreadable`, and keeps nobody from the rest. Others have a turn now and
    again. Raises `StoreError`.
    """
    number = 0
    async for stored in records.between(tenant, since, until):
        number += 1
        if number % _AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
        kept = decode_run(stored)
        if kept is None:
            unreadable(stored)
        else:
            yield kept
