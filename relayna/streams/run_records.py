"""Run records: what is kept of runs and of the edges that led to them, longer than their streams.

Owns the protocol that memory and Redis implement under one contract suite
(`tests/streams/run_records_contract.py`). Knows nothing of what a record means: its data are bytes here.

Records are written with the rows of read models (`Row.run`), at the same moment. They lie by the week in which their
run began, and within a week by session, so that a session is found by its id and a week is forgotten as a whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct

from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress

__all__ = ["SPARE_DAYS", "WEEK_MICROS", "RunRecords", "StoredRun", "week_of"]

WEEK_MICROS: Final = 7 * 86_400 * 1_000_000

SPARE_DAYS: Final = 7
"""A store keeps records for so much longer than they say, for whoever archives them in time."""


class StoredRun(Struct, frozen=True, kw_only=True):
    """What is kept of one run."""

    address: TaskAddress
    session_id: str
    began: Instant
    """Decides under which week it is kept. Never changes for a run, once told."""
    expires_at: Instant
    """When it may be forgotten: later, the newer the record is."""
    data: bytes
    heading: int = 0
    """So many bytes at the beginning of `data` are the same in many records; a store may keep them once."""


class RunRecords(Protocol):
    """Records of runs. Every method raises `StoreUnreachable` or `StoreRefused`.

    They are open while the log is that they were made with. They are written by `ReadModels.store`. A run whose
    stream had expired when it was heard of again may have two records; whoever reads brings them together.
    """

    async def of_session(self, tenant: Tenant, session_id: str) -> list[StoredRun]:
        """All records of a session, by when their runs began."""

    async def of_run(self, address: TaskAddress) -> StoredRun | None:
        """The newest record of a run, whatever its session."""

    def between(self, tenant: Tenant, since: Instant, until: Instant) -> AsyncIterator[StoredRun]:
        """Records of runs that began from `since` up to and without `until`: week by week, in any order within."""

    async def weeks(self, tenant: Tenant) -> list[int]:
        """The weeks that hold any records, in order. They may have run out since."""

    async def restore(self, runs: Sequence[StoredRun]) -> None:
        """Write records from an archive; what is there and as new stays."""

    async def forget(
        self, tenant: Tenant, week: int, *, only: Callable[[StoredRun], bool] | None = None
    ) -> bool:
        """Remove all records of a week; whether it is gone.

        With `only`, whatever holds a record that may not go stays, as it is at the moment of removing; and so does
        what holds one that cannot be read.
        """


def week_of(began: Instant) -> int:
    """The week in which a run began, counted from 1970-01-01, UTC.

    >>> week_of(Instant(WEEK_MICROS * 2_900 + 5))
    2900
    """
    return began // WEEK_MICROS
