"""What the contract suite of read models stands on: the harness of an implementation, rows, and a naive model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hypothesis import strategies as st
from msgspec import Struct
from streams.log_harness import address

from relayna.ids import StreamId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Log
from relayna.streams.read_models import CountKey, IndexEntry, IndexPage, IndexTerm, Lease, ReadModels, Row

__all__ = [
    "DAY", "NAIVE_TENANTS", "NOW", "SHARDS", "NaiveModels", "Place", "ReadModelsHarness", "held", "keep", "row_for",
    "some_rows",
]  # fmt: skip

SHARDS = 4
DAY = 86_400_000_000
NOW = Instant(1_767_225_600_000_000)
_LATE = Instant(NOW + 1_000 * DAY)
NAIVE_TENANTS = (Tenant("default"), Tenant("other"))


class Place(Struct, frozen=True):
    """An open log and the read models beside it."""

    log: Log
    models: ReadModels


class ReadModelsHarness(Protocol):
    """A place for read models, and how time passes there."""

    def open(self, *, shard_count: int = SHARDS) -> AbstractAsyncContextManager[Place]:
        """Logs and read models under one test's prefix, the same each time; folded references are let go at once."""

    async def run_out(self, lease: Lease) -> None:
        """Let the lease's time pass."""


def row_for(
    task: str | TaskAddress,
    *terms: IndexTerm,
    counts: Mapping[CountKey, int] | None = None,
    data: bytes = b"data",
    version: str = "1-0",
    expires_at: Instant = _LATE,
) -> Row:
    """A row with everything said that a test does not care about."""
    return Row(
        address=address(task) if isinstance(task, str) else task,
        version=StreamId(version),
        data=data,
        terms=frozenset(terms),
        counts=counts or {},
        expires_at=expires_at,
    )


async def held(place: Place, owner: str = "me") -> dict[int, Lease]:
    """Every shard's lease."""
    every = range(place.log.keys.shard_count)
    return {lease.shard: lease for lease in await place.models.acquire(every, owner, seconds=600)}


async def keep(place: Place, rows: Sequence[Row], *, removed: Sequence[TaskAddress] = ()) -> None:
    """Store what is to be stored, each shard its own."""
    leases = await held(place)
    shard_of = place.log.keys.shard_of
    for shard, lease in leases.items():
        mine = [row for row in rows if shard_of(row.address) == shard]
        gone = [task for task in removed if shard_of(task) == shard]
        assert await place.models.store(lease, rows=mine, removed=gone) == "stored"


class NaiveModels:
    """What lists and counts must say, found by looking at everything."""

    def __init__(self) -> None:
        self.rows: dict[TaskAddress, Row] = {}

    def write(self, rows: Iterable[Row], removed: Iterable[TaskAddress] = ()) -> None:
        for task in removed:
            self.rows.pop(task, None)
        self.rows.update((row.address, row) for row in rows)

    def page(self, wanted: IndexPage) -> list[IndexEntry]:
        found = [
            IndexEntry(term.at, row.address.task_id, term.ref)
            for row in self.rows.values()
            if row.address.tenant == wanted.tenant
            for term in row.terms
            if (term.name, term.value) == (wanted.name, wanted.value)
        ]
        within = [entry for entry in found if _is_within(entry, wanted)]
        return sorted(within, key=_order, reverse=wanted.newest_first)[: wanted.limit]

    def counts(self, tenant: Tenant, days: Sequence[int]) -> dict[CountKey, int]:
        summed: dict[CountKey, int] = {}
        for row in self.rows.values():
            for key, count in row.counts.items():
                if row.address.tenant == tenant and key.day in days:
                    summed[key] = summed.get(key, 0) + count
        return {key: count for key, count in summed.items() if count}

    def expired(self, before: Instant) -> set[TaskAddress]:
        return {row.address for row in self.rows.values() if row.expires_at <= before}


def _is_within(entry: IndexEntry, wanted: IndexPage) -> bool:
    if wanted.since is not None and entry.at < wanted.since:
        return False
    if wanted.until is not None and entry.at >= wanted.until:
        return False
    if wanted.after is None:
        return True
    here, there = _order(entry), _order(wanted.after)
    return here < there if wanted.newest_first else here > there


def _order(entry: IndexEntry) -> tuple[int, str, str]:
    return entry.at, entry.task_id, entry.ref


_texts = st.sampled_from(
    ["", "a", "b", "a\0b", "a\0", "\ud800", "\U0010ffff", "\uffff", "~", "a/b", "x" * 500]
)
_instants = st.sampled_from([-DAY, -1, 0, 1, NOW, NOW + 1, NOW + DAY]).map(Instant)
_terms = st.builds(IndexTerm, st.sampled_from(["", "s", "status"]), _texts, _instants, _texts)
_counts = st.dictionaries(
    st.builds(CountKey, st.sampled_from([-1, 0, 20_454]), _texts, st.sampled_from(["runs", "\udfff"])),
    st.sampled_from([-5, 0, 1, 2**53 - 1]) | st.integers(-3, 3),
    max_size=4,
)

some_rows = st.builds(
    Row,
    address=st.builds(TaskAddress, _texts.filter(bool), st.sampled_from(NAIVE_TENANTS)),
    version=st.sampled_from(["1-0", "1767225600000-18446744073709551615"]).map(StreamId),
    data=st.binary(max_size=20),
    terms=st.frozensets(_terms, max_size=5),
    counts=_counts,
    expires_at=st.sampled_from([NOW + DAY, NOW + 2 * DAY, NOW + 900 * DAY]).map(Instant),
)
"""Rows of a few tasks whose ids and terms are as awkward as can be, so that they meet."""
