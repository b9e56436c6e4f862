"""One write to a shard's read models: from what changes to one call of `fenced.lua`.

Owns the commands and their order. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from relayna.errors import StoreRefused
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.log import FEED_RETENTION_SECONDS
from relayna.streams.read_model_changes import TenantChanges
from relayna.streams.read_models import Checkpoint, Lease, Row, StoreResult
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.index_leaves import LeafChanges
from relayna.streams.redis.read_models_values import checkpoint_text, count_field, row_field, row_value
from relayna.streams.redis.run_records_values import Placement
from relayna.streams.redis.run_records_writing import RunChanges
from relayna.streams.redis.script import ScriptCall

__all__ = ["FencedCall", "portions", "written"]

_ROWS_A_CALL: Final = 200
_BYTES_A_CALL: Final = 1024 * 1024
_BYTES_A_TERM: Final = 100
"""As it usually is, in the row and in the index."""
_WORDS_A_COMMAND: Final = 900
"""Lua unpacks some thousand at most; divisible by 2 and by 3, for pairs and tallies."""

_DAY_MS: Final = 86_400_000
_LATEST_MS: Final = 253_402_300_800_000
"""The year 10,000: what no calendar holds is kept until then."""


class FencedCall:
    """Gathers what is written to one shard, to be done at one moment while the lease is ours.

    With a lease whose token is empty, whoever holds it: what is neither a row nor a checkpoint needs none.
    """

    def __init__(self, keys: KeyGrammar, lease: Lease, *, revision: bytes) -> None:
        """On the revision that was read together with what the commands were decided on."""
        self._keys = keys
        self._shard = lease.shard
        models = keys.models(lease.shard)
        self._numbers = {keys.lease(lease.shard): 1, models: 2}
        self._arguments: list[bytes | str | int] = [
            lease.token, revision, _DAY_MS, FEED_RETENTION_SECONDS * 1000 + _DAY_MS,
        ]  # fmt: skip

    def change(
        self,
        tenant: Tenant,
        changes: TenantChanges,
        leaves: LeafChanges,
        places: Mapping[TaskId, Placement],
    ) -> None:
        """Write a tenant's rows, the leaves of its index and its counts; `places` are those of its run records."""
        until = _milliseconds(changes.kept_until)
        rows = self._keys.rows(self._shard, tenant)
        written = (
            (row_field(name), row_value(row, places.get(name)))
            for name, row in changes.rows.items()
            if row is not None
        )
        self._add("HSET", rows, (word for pair in written for word in pair))
        self._add("HDEL", rows, (row_field(name) for name, row in changes.rows.items() if row is None))
        self._add("keep", rows, (until,))
        index = self._keys.index(self._shard, tenant)
        # In this order the key does not go between the two, and its expiry with it.
        self._add("ZADD", index, (word for leaf in leaves.added for word in (0, leaf)))
        self._add("ZREM", index, leaves.removed)
        self._add("keep", index, (until,))
        for day in sorted({key.day for key in changes.tallies}):
            self._tally(tenant, day, changes)

    def runs(self, changes: RunChanges) -> None:
        """Write a tenant's run records."""
        for name, key, words in changes.commands():
            self._add(name, key, words)

    def forget_week(self, tenant: Tenant, week: int, parts: int) -> None:
        """Remove a week of run records."""
        for part in range(parts):
            self._add("UNLINK", self._keys.runs_of(self._shard, tenant, week, part))
        self._add("HDEL", self._keys.runs(self._shard, tenant), (str(week),))

    def checkpoint(self, checkpoint: Checkpoint, *, feed_kept_ms: int) -> None:
        """Say how far the feed was folded, and let it forget."""
        self._add("HSET", self._keys.models(self._shard), ("checkpoint", checkpoint_text(checkpoint)))
        self._add("trim", self._keys.feed(self._shard), (checkpoint.position, feed_kept_ms))

    def forget(self, names: Iterable[str]) -> None:
        """Remove these keys of the shard and the checkpoint."""
        for name in names:
            self._add("UNLINK", name)
            self._add("keep", name, (0,))
        self._add("HDEL", self._keys.models(self._shard), ("checkpoint",))

    def call(self) -> ScriptCall:
        """What `fenced.lua` is given."""
        return ScriptCall(list(self._numbers), self._arguments)

    def _tally(self, tenant: Tenant, day: int, changes: TenantChanges) -> None:
        counts = self._keys.counts(self._shard, tenant, day)
        moved = (
            (count_field(key), tally.change, tally.after)
            for key, tally in changes.tallies.items()
            if key.day == day
        )
        self._add("tally", counts, (word for triple in moved for word in triple))
        self._add("keep", counts, (_milliseconds(changes.days_kept_until.get(day, Instant(0))),))

    def _add(self, name: str, key: str, words: Iterable[bytes | str | int] | None = None) -> None:
        """One command, or several when there are many words; none when words are asked for and there are none."""
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        if words is None:
            self._arguments += (name, number, 0)
            return
        told = list(words)
        for start in range(0, len(told), _WORDS_A_COMMAND):
            some = told[start : start + _WORDS_A_COMMAND]
            self._arguments += (name, number, len(some), *some)


def portions(
    wanted: Mapping[TaskAddress, Row | None],
) -> Iterator[tuple[Mapping[TaskAddress, Row | None], bool]]:
    """What is written in one call each, and whether it is the last; one at least, though it be empty."""
    portion: dict[TaskAddress, Row | None] = {}
    size = 0
    for address, row in wanted.items():
        weight = 0 if row is None else _weight(row)
        if portion and (len(portion) == _ROWS_A_CALL or size + weight > _BYTES_A_CALL):
            yield portion, False
            portion, size = {}, 0
        portion[address] = row
        size += weight
    yield portion, True


def _weight(row: Row) -> int:
    return len(row.data) + _BYTES_A_TERM * len(row.terms) + (0 if row.run is None else len(row.run.data))


def written(answer: Reply) -> StoreResult | None:
    """What `fenced.lua` answered; none when it is to be decided anew. Raises `StoreUnreachable` or `StoreRefused`."""
    match answer:
        case Failed():
            raise answer.error
        case b"stored":
            return "stored"
        case b"lease_lost":
            return "lease_lost"
        case b"overtaken":
            return None
        case _:
            raise StoreRefused("EVALSHA", f"unexpected reply {answer!r:.100}")


def _milliseconds(at: Instant) -> int:
    return min(max(at // 1000 + 1, 0), _LATEST_MS)
