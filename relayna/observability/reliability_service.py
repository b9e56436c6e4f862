"""Answers how often the runs of each agent end well, counted over their records.

Owns which records a question is answered from, one after the other: however many there are, none is held on to.
What counts, the projection knows (`relayna/projections/lineage/reliability.py`).
"""

from __future__ import annotations

from functools import partial
from typing import Final

from relayna.clock import Clock, SystemClock
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.admission import Admission
from relayna.observability.reliability_told import AgentsReliability, agents_told
from relayna.observability.run_walk import AHEAD_MICROS, walk_runs
from relayna.observability.shared_work import SharedWork
from relayna.observability.time_window import window_seconds
from relayna.projections.lineage.reliability import ReliabilityTally
from relayna.streams import DEFAULT_TENANT
from relayna.streams.run_records import RunRecords, StoredRun

__all__ = ["DEFAULT_WINDOW", "ReliabilityService"]

DEFAULT_WINDOW: Final = "24h"


class ReliabilityService:
    """Of one tenant. The log that the records lie beside must be open."""

    def __init__(
        self,
        *,
        records: RunRecords,
        tenant: Tenant = DEFAULT_TENANT,
        clock: Clock | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._records = records
        self._tenant = tenant
        self._clock = clock or SystemClock()
        self._admission = admission or Admission()
        self._shared: SharedWork[AgentsReliability] = SharedWork()
        """Many who ask at once have two counts made at most: one that is under way, and one after it."""

    async def agents(self, window: str = DEFAULT_WINDOW) -> AgentsReliability:
        """Of the runs that began within the last `window`, such as `24h`.

        Raises `InvalidQuery`, `Busy` and `StoreError`.
        """
        seconds = window_seconds(window)
        return await self._shared.do(seconds, partial(self._count, seconds), still_true=_never)

    async def _count(self, seconds: int) -> AgentsReliability:
        now = self._clock.now()
        since, until = Instant(now - seconds * 1_000_000), Instant(now + AHEAD_MICROS)
        tally = ReliabilityTally()
        unreadable = 0

        def pass_over(stored: StoredRun) -> None:
            nonlocal unreadable
            unreadable += 1

        with self._admission.turn() as turn:
            await turn.take()
            async for one in walk_runs(self._records, self._tenant, since, until, unreadable=pass_over):
                tally.take(one.run, one.edges)
        return agents_told(tally, since=since, as_of=now, unreadable=unreadable)


async def _never(earlier: AgentsReliability) -> bool:
    """Nobody is given what was counted before they asked."""
    return False
