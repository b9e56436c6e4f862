"""What writing rows anew changes in the index and in the counts: decided here, done elsewhere. Pure.

Owns the differences between what rows said before and what they say now, so that a task counts once however
often it is folded. Memory and Redis both write what this says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from relayna.errors import InvalidQuery
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.read_model_index import row_members
from relayna.streams.read_models import LARGEST_COUNT, CountKey, Row

__all__ = ["RowChange", "Tally", "TenantChanges", "changes_by_tenant", "wanted_rows"]


class RowChange(Struct, frozen=True):
    """What is kept of a task, and what shall be."""

    address: TaskAddress
    before: Row | None
    after: Row | None


class Tally(Struct):
    """How a count moves."""

    change: int = 0
    after: int = 0
    """The part of it that the rows written now have: the whole of it where the count is not there."""


class TenantChanges(Struct):
    """All changes of one tenant in one shard."""

    rows: dict[TaskId, Row | None] = field(default_factory=dict)
    """To be written, or to be removed."""
    added: set[bytes] = field(default_factory=set)
    """Members that the index shall have."""
    removed: set[bytes] = field(default_factory=set)
    """Members that it shall have no longer."""
    tallies: dict[CountKey, Tally] = field(default_factory=dict)
    kept_until: Instant = Instant(0)
    """When the last of the rows is to be swept."""
    days_kept_until: dict[int, Instant] = field(default_factory=dict)
    """The same of the rows that count on each day."""

    def apply(self, change: RowChange) -> None:
        """Take one more change into account; a task changes once."""
        before, after = change.before, change.after
        self.rows[change.address.task_id] = after
        had = row_members(before) if before is not None else set()
        has = row_members(after) if after is not None else set()
        self.added |= has - had
        self.removed |= had - has
        self._count(before, -1)
        self._count(after, +1)
        if after is not None:
            self._keep(after)

    def _count(self, row: Row | None, sign: int) -> None:
        for key, count in row.counts.items() if row is not None else ():
            tally = self.tallies.setdefault(key, Tally())
            tally.change += sign * count
            if sign > 0:
                tally.after += count

    def _keep(self, row: Row) -> None:
        self.kept_until = max(self.kept_until, row.expires_at)
        for day in {key.day for key in row.counts}:
            known = self.days_kept_until.get(day, row.expires_at)
            self.days_kept_until[day] = max(known, row.expires_at)


def changes_by_tenant(changes: Iterable[RowChange]) -> dict[Tenant, TenantChanges]:
    """Everything that these changes come to, by tenant."""
    tenants: dict[Tenant, TenantChanges] = {}
    for change in changes:
        tenants.setdefault(change.address.tenant, TenantChanges()).apply(change)
    return tenants


def wanted_rows(
    keys: KeyGrammar, shard: int, *, rows: Sequence[Row], removed: Sequence[TaskAddress]
) -> dict[TaskAddress, Row | None]:
    """What each task named shall have: its last row, or none where it is only removed.

    Raises `InvalidQuery` for a task of another shard, for a run record of another task, and for a count beyond
    `LARGEST_COUNT`.
    """
    wanted: dict[TaskAddress, Row | None] = dict.fromkeys(removed)
    wanted.update((row.address, row) for row in rows)
    for address in wanted:
        if keys.shard_of(address) != shard:
            problem = (
                f"task {address.task_id!r} is in shard {keys.shard_of(address)}, the lease is shard {shard}'s"
            )
            raise InvalidQuery("rows", problem)
    for row in rows:
        if row.run is not None and row.run.address != row.address:
            problem = f"task {row.address.task_id!r} has the run record of {row.run.address.task_id!r}"
            raise InvalidQuery("rows", problem)
    for address, count in _counts(rows):
        if abs(count) > LARGEST_COUNT:
            raise InvalidQuery("counts", f"task {address.task_id!r} counts {count}, beyond 2**53 - 1")
    return wanted


def _counts(rows: Iterable[Row]) -> Iterator[tuple[TaskAddress, int]]:
    return ((row.address, count) for row in rows for count in row.counts.values())
