"""Finds runs that began and that no recorded edge led to, over their records, for whoever alarms or checks.

Owns how much is looked at, and how such a run is named. The rule is the projection's (`birth_check.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.run_records.encoding import decode_run
from relayna.observability.run_walk import AHEAD_MICROS, walk_runs
from relayna.projections.lineage.birth_check import RunWithoutBirth, is_recorded_birth, runs_without_birth
from relayna.streams.run_records import RunRecords, StoredRun

__all__ = ["find_unborn_runs", "named_runs"]

_MOST_FOUND: Final = 1_000
_MOST_ASKED: Final = 100
_SHOWN: Final = 10


async def find_unborn_runs(
    records: RunRecords,
    tenant: Tenant,
    *,
    now: Instant,
    window_micros: int,
    settled_micros: int = 0,
    unreadable: Callable[[StoredRun], None],
) -> list[RunWithoutBirth]:
    """Those that began within the window, at most 1,000, in the order in which they did. Raises `StoreError`.

    Those that began in the last `settled_micros` are left for the next time: who led to them may be about to say so.
    """
    since, until = Instant(now - window_micros), Instant(now + AHEAD_MICROS)
    found: list[RunWithoutBirth] = []
    async for one in walk_runs(records, tenant, since, until, unreadable=unreadable):
        if len(found) < _MOST_FOUND:
            unborn = runs_without_birth([one.run], one.edges)
            found += [run for run in unborn if not now - settled_micros < run.started_at <= now]
    found.sort(key=lambda run: (run.started_at, run.run_id))
    doubted = [run for run in found[:_MOST_ASKED] if not await _has_birth_elsewhere(records, tenant, run)]
    return [*doubted, *found[_MOST_ASKED:]]


async def _has_birth_elsewhere(records: RunRecords, tenant: Tenant, run: RunWithoutBirth) -> bool:
    """Whether another record of the run tells its birth: it has two when it was heard of after its stream expired."""
    kept = map(decode_run, await records.of_session(tenant, run.session_id))
    return any(
        is_recorded_birth(edge)
        for one in kept
        if one is not None and one.run.run_id == run.run_id
        for edge in one.edges
    )


def named_runs(runs: Sequence[RunWithoutBirth]) -> str:
    """The first of them by name, and how many more there are. Safe to log."""
    named = ", ".join(map(_named, runs[:_SHOWN]))
    return named if len(runs) <= _SHOWN else f"{named} and {len(runs) - _SHOWN} more"


def _named(run: RunWithoutBirth) -> str:
    who = "" if run.agent is None else f" by {run.agent!r}"
    parent = "" if run.parent is None else f", which names {run.parent!r} as its parent"
    return f"{run.run_id!r} of session {run.session_id!r}{who}{parent}"
