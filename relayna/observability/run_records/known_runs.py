"""Reads run records: of a session, and of single runs.

Owns that what cannot be read is counted and passed over, and that much is decoded beside the event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio.to_thread

from relayna.ids import TaskId, Tenant
from relayna.observability.run_records.encoding import KeptRun, decode_run
from relayna.signals import Counters, IgnoredCounters
from relayna.streams import TaskAddress
from relayna.streams.run_records import RunRecords, StoredRun

__all__ = ["KnownRuns"]

_DECODED_HERE: Final = 300


class KnownRuns:
    """One tenant's. Methods raise `StoreError`."""

    def __init__(self, records: RunRecords, *, tenant: Tenant, counters: Counters | None = None) -> None:
        """Counts `relayna_run_records_unreadable_total`."""
        self._records = records
        self._tenant = tenant
        self._counters: Counters = counters or IgnoredCounters()

    async def of_session(
        self, session_id: str, *, before_much: Callable[[], Awaitable[None]] | None = None
    ) -> list[KeptRun]:
        """All runs of a session that have a record, by when they began.

        `before_much` is waited for before more than a little is decoded.
        """
        stored = await self._records.of_session(self._tenant, session_id)
        if before_much is not None and len(stored) > _DECODED_HERE:
            await before_much()
        return await self._decoded(stored)

    async def ids_of_session(self, session_id: str) -> list[TaskId]:
        """The runs of a session that have a record."""
        stored = await self._records.of_session(self._tenant, session_id)
        return [one.address.task_id for one in stored]

    async def of_run(self, run_id: str) -> KeptRun | None:
        """What is kept of a run; None when nothing is."""
        stored = await self._records.of_run(TaskAddress(TaskId(run_id), self._tenant))
        found = [] if stored is None else await self._decoded([stored])
        return found[0] if found else None

    async def _decoded(self, stored: Sequence[StoredRun]) -> list[KeptRun]:
        if len(stored) <= _DECODED_HERE:
            found = _decode_all(stored)
        else:
            found = await anyio.to_thread.run_sync(_decode_all, stored)
        if len(found) < len(stored):
            self._counters.increment("relayna_run_records_unreadable_total", len(stored) - len(found))
        return found


def _decode_all(stored: Sequence[StoredRun]) -> list[KeptRun]:
    return [kept for one in stored if (kept := decode_run(one)) is not None]
