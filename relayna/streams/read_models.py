"""Read models: what lists, failures and statistics are read from, kept beside the streams, a shard at a time.

Owns the protocol that memory and Redis implement under one contract suite
(`tests/streams/read_models_contract.py`). Knows nothing of what a row means: its data are bytes here.

A row is written with its entries in the index and its share of the counts, together with the checkpoint of the
shard's feed, or not at all; and only by who holds the shard's lease. What a row said before is taken back when
it is written anew, so that counts are exact however often a task is folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from relayna.ids import StreamId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import START
from relayna.streams.run_records import StoredRun

__all__ = [
    "FEED_KEPT_SECONDS",
    "LARGEST_COUNT",
    "Checkpoint",
    "CountKey",
    "IndexEntry",
    "IndexPage",
    "IndexTerm",
    "Lease",
    "ReadModels",
    "Row",
    "StoreResult",
]

StoreResult: TypeAlias = Literal["stored", "lease_lost"]


FEED_KEPT_SECONDS: Final = 3_600.0
"""Younger references stay in the feed though they were folded: others walk it too, some way behind."""

LARGEST_COUNT: Final = 2**53 - 1
"""Of one row; a sum that is more than a row can say is a mistake, and is refused."""


class IndexTerm(Struct, frozen=True, gc=False):
    """An entry of the index: under `name` and `value` the task is found, in order of `at`.

    `("status", "failed", started_at)` lists failed tasks by their start; `ref` tells several entries of one
    task apart, such as its failures. A store pays some 30 bytes for each, and 20 more where few tasks share name
    and value, which is half of what a task costs: have few.
    """

    name: str
    value: str
    at: Instant
    ref: str = ""


class CountKey(Struct, frozen=True, gc=False):
    """A count of one day: of what (`group`), and which number (`measure`)."""

    day: int
    """Days since 1970-01-01, UTC."""
    group: str
    measure: str


class Row(Struct, frozen=True, kw_only=True):
    """What is kept of one task."""

    address: TaskAddress
    version: StreamId
    """The last entry of the stream that it was folded from."""
    data: bytes
    terms: frozenset[IndexTerm]
    counts: Mapping[CountKey, int]
    """What the task adds to the counts; none beyond `LARGEST_COUNT`, on either side of 0."""
    expires_at: Instant
    """When it is to be swept away, unless it was written anew by then; whoever folds does that (`expired`).

    Should nobody, it is gone a day after the last row of its tenant and shard was to be.
    """
    run: StoredRun | None = None
    """The task's run record, written with the row and read from `RunRecords` alone: rows come back without it.

    A row written without one leaves the record as it is, and so does whatever becomes of the row.
    """


class Checkpoint(Struct, frozen=True, kw_only=True):
    """How far a shard's feed was folded, and by which version of the fold."""

    fold_version: int
    position: StreamId = START


class Lease(Struct, frozen=True):
    """The right to write one shard's read models, while nobody else has taken it over."""

    shard: int
    token: str


class IndexEntry(Struct, frozen=True, gc=False):
    """One entry found; entries are ordered by `at`, then task id, then `ref`.

    Of texts those come first that are 16 or 32 hexadecimal digits, then UUIDs, then others; each kind by code points.
    """

    at: Instant
    task_id: str
    ref: str = ""


class IndexPage(Struct, frozen=True, kw_only=True):
    """What to read of the index of one tenant, over all shards.

    Entries of one `name` and `value`, from `since` up to and without `until`, after (in the direction of
    reading) `after`, which need not exist (any more).
    """

    tenant: Tenant
    name: str
    value: str
    since: Instant | None = None
    until: Instant | None = None
    after: IndexEntry | None = None
    newest_first: bool = True
    limit: int = 50


class ReadModels(Protocol):
    """Rows, their index, counts and checkpoints. Every method raises `StoreUnreachable` or `StoreRefused`.

    They are open while the log is that they were made with.
    """

    async def acquire(self, shards: Sequence[int], owner: str, *, seconds: float) -> list[Lease]:
        """Take or renew, for so long, those of these leases that nobody else holds.

        `owner` names one process at one time; a lease that ran out is taken anew, with another token.
        Shards whose server does not answer are left out, as long as any server does.
        """

    async def release(self, leases: Sequence[Lease]) -> None:
        """Give them up, where they are still ours."""

    async def checkpoints(self, shards: Sequence[int]) -> list[Checkpoint | None]:
        """Of each shard; none where nothing was folded yet."""

    async def rows(self, addresses: Sequence[TaskAddress]) -> list[Row | None]:
        """What is kept of each task; none where nothing is."""

    async def store(
        self,
        lease: Lease,
        *,
        rows: Sequence[Row] = (),
        removed: Sequence[TaskAddress] = (),
        checkpoint: Checkpoint | None = None,
    ) -> StoreResult:
        """Write these rows and the checkpoint at one moment, unless the lease is not ours any more.

        Takes back what the rows of these tasks said before. A task named twice gets its last row, one that
        is also named in `removed` its row. Many rows are written some at a time, each portion at one moment
        and the checkpoint with the last: after an error, or a lost lease, storing the same again is right.
        A checkpoint lets the feed forget what is before it, except for the last hour. Raises `InvalidQuery`
        for a task of another shard.
        """

    async def expired(self, shard: int, *, before: Instant, limit: int) -> list[TaskAddress]:
        """Tasks of a shard, of all tenants, whose rows were to be swept by then; the longest overdue first."""

    async def clear(self, lease: Lease) -> StoreResult:
        """Forget all rows, entries, counts and the checkpoint of a shard, of all tenants."""

    async def page(self, wanted: IndexPage) -> list[IndexEntry]:
        """One page of the index, by index and never by scan."""

    async def counts(self, tenant: Tenant, days: Sequence[int]) -> dict[CountKey, int]:
        """All counts of these days, summed over the shards; those that are 0 may be left out."""
