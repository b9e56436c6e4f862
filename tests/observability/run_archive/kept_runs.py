"""What the tests of archived runs stand on: records with little in them, and a store of records in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from hypothesis import strategies as st

from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import DEFAULT_TENANT, TaskAddress
from relayna.streams.run_records import WEEK_MICROS, StoredRun, week_of

__all__ = ["DAY", "KeptRuns", "kept_run", "some_runs"]

DAY = 86_400_000_000


class KeptRuns:
    """Records of runs as the protocol has them: the newest of a run and week stays, weeks are forgotten as a whole."""

    def __init__(self, runs: Iterable[StoredRun] = ()) -> None:
        self.runs: dict[tuple[TaskAddress, int], StoredRun] = {}
        self.put(runs)

    def put(self, runs: Iterable[StoredRun]) -> None:
        for run in runs:
            key = run.address, week_of(run.began)
            there = self.runs.get(key)
            if there is None or there.expires_at < run.expires_at:
                self.runs[key] = run

    async def of_session(self, tenant: Tenant, session_id: str) -> list[StoredRun]:
        found = [run for run in self._of(tenant) if run.session_id == session_id]
        return sorted(found, key=lambda run: run.began)

    async def of_run(self, address: TaskAddress) -> StoredRun | None:
        found = [run for run in self.runs.values() if run.address == address]
        return max(found, key=lambda run: run.expires_at, default=None)

    async def between(self, tenant: Tenant, since: Instant, until: Instant) -> AsyncIterator[StoredRun]:
        for run in sorted(self._of(tenant), key=lambda run: week_of(run.began)):
            if since <= run.began < until:
                yield run

    async def weeks(self, tenant: Tenant) -> list[int]:
        return sorted({week_of(run.began) for run in self._of(tenant)})

    async def restore(self, runs: Sequence[StoredRun]) -> None:
        self.put(runs)

    async def forget(
        self, tenant: Tenant, week: int, *, only: Callable[[StoredRun], bool] | None = None
    ) -> bool:
        of_week = [key for key, run in self.runs.items() if key[1] == week and run.address.tenant == tenant]
        if only is not None and not all(only(self.runs[key]) for key in of_week):
            return False
        for key in of_week:
            del self.runs[key]
        return True

    def _of(self, tenant: Tenant) -> list[StoredRun]:
        return [run for run in self.runs.values() if run.address.tenant == tenant]


def kept_run(
    run_id: str,
    *,
    week: int = 2_900,
    session_id: str = "S",
    expires_at: int = 0,
    data: bytes = b"data",
    tenant: Tenant = DEFAULT_TENANT,
) -> StoredRun:
    """A record with everything said that a test does not care about."""
    return StoredRun(
        address=TaskAddress(TaskId(run_id), tenant),
        session_id=session_id,
        began=Instant(week * WEEK_MICROS + 7),
        expires_at=Instant(expires_at),
        data=data,
        heading=min(1, len(data)),
    )


_texts = st.sampled_from(["a", "b", "a/b", "é", "\ud800", '"', "\n"])

some_runs = st.builds(
    kept_run,
    _texts,
    session_id=_texts,
    week=st.sampled_from([2_900, 2_901]),
    expires_at=st.integers(0, 3),
    data=st.binary(max_size=3),
)
"""Records of few runs, so that they meet."""
