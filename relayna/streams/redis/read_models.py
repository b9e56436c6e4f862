"""Read models in Redis or Valkey, beside the log's streams and over the log's connections.

Owns which commands make a read, and that a write is decided on what was there when it is done: a script checks
the lease, which says who may write, and the revision, which says that nobody has since we read
(docs/decisions/0013-read-models-beside-the-streams.md). Keys are spelled in `relayna.streams.keys`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from relayna.errors import StoreError, StoreRefused
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.read_model_changes import RowChange, TenantChanges, changes_by_tenant, wanted_rows
from relayna.streams.read_model_index import entry_in, sweep_range
from relayna.streams.read_models import (
    FEED_KEPT_SECONDS,
    Checkpoint,
    CountKey,
    IndexEntry,
    IndexPage,
    Lease,
    Row,
    StoreResult,
)
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.gathered import GatheredRequests
from relayna.streams.redis.index_leaves import LeafChanges
from relayna.streams.redis.index_reading import IndexPart, read_leaf_changes, read_members
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.read_models_paging import read_page
from relayna.streams.redis.read_models_values import (
    KeptRow,
    read_checkpoint,
    read_count,
    read_kept_row,
    row_field,
)
from relayna.streams.redis.read_models_writing import FencedCall, portions, written
from relayna.streams.redis.requests import Request
from relayna.streams.redis.run_records_reading import begun_changes
from relayna.streams.redis.run_records_values import Placement
from relayna.streams.redis.script import ScriptCall, load_script

__all__ = ["RedisReadModels"]

_TURNS: Final = 8
"""So often a write is decided anew when somebody else's of this process came first."""


class RedisReadModels:
    """`ReadModels` beside a log in Redis 7.0 or later, or Valkey; usable while that log is open."""

    def __init__(self, log: RedisLog, *, feed_kept_seconds: float = FEED_KEPT_SECONDS) -> None:
        """References younger than `feed_kept_seconds` stay in the log's feeds.

        Everything raises `LogNotOpen` while the log is not entered.
        """
        self._log = log
        self._keys = log.keys
        self._feed_kept_ms = round(feed_kept_seconds * 1000)
        self._gathered = GatheredRequests(lambda: log.store)
        """For what is done to one shard after the other, and for many at the same time."""

    async def acquire(self, shards: Sequence[int], owner: str, *, seconds: float) -> list[Lease]:
        """Take or renew those that nobody else holds, in one round trip."""
        milliseconds = max(1, round(seconds * 1000))
        calls = [ScriptCall([self._keys.lease(shard)], [owner, milliseconds]) for shard in shards]
        answers = await load_script("take_lease.lua").run(self._log.store, calls) if calls else []
        failures = [answer.error for answer in answers if isinstance(answer, Failed)]
        if failures and len(failures) == len(answers):
            raise failures[0]
        return [
            Lease(shard, token.decode(errors="surrogatepass"))
            for shard, token in zip(shards, answers, strict=True)
            if isinstance(token, bytes)
        ]

    async def release(self, leases: Sequence[Lease]) -> None:
        """Give them up, where they are still ours."""
        calls = [ScriptCall([self._keys.lease(lease.shard)], [lease.token]) for lease in leases]
        if calls:
            _replies(await load_script("release_lease.lua").run(self._log.store, calls))

    async def checkpoints(self, shards: Sequence[int]) -> list[Checkpoint | None]:
        """Of each shard, in one round trip a node."""
        names = [self._keys.models(shard) for shard in shards]
        replies = await self._ask([Request((("HGET", name, "checkpoint"),), name) for name in names])
        return [read_checkpoint(reply) if isinstance(reply, bytes) else None for reply in replies]

    async def rows(self, addresses: Sequence[TaskAddress]) -> list[Row | None]:
        """What is kept of each task, in one round trip a node."""
        by_key = self._by_key(addresses)
        replies = await self._ask([Request((_rows_command(*told),), told[0]) for told in by_key.items()])
        found = _rows_in(replies, by_key)
        return [None if (kept := found[address]) is None else kept.row for address in addresses]

    async def store(
        self,
        lease: Lease,
        *,
        rows: Sequence[Row] = (),
        removed: Sequence[TaskAddress] = (),
        checkpoint: Checkpoint | None = None,
    ) -> StoreResult:
        """Write all of it, some rows at a time, unless the lease is not ours any more. Raises `InvalidQuery`."""
        wanted = wanted_rows(self._keys, lease.shard, rows=rows, removed=removed)
        for portion, is_last in portions(wanted):
            if await self._write(lease, portion, checkpoint if is_last else None) == "lease_lost":
                return "lease_lost"
        return "stored"

    async def expired(self, shard: int, *, before: Instant, limit: int) -> list[TaskAddress]:
        """Tasks whose rows were to be swept by then, the longest overdue first."""
        models = self._keys.models(shard)
        (names,) = await self._ask([Request((("HKEYS", models),), models)])
        tenants = {name: self._keys.tenant_of_index(name) for name in _texts(names)}
        parts = {
            tenant: IndexPart(name, sweep_range(before))
            for name, tenant in tenants.items()
            if tenant is not None
        }
        await read_members(self._log.reader, list(parts.values()), newest_first=False, limit=limit)
        found = [(member, tenant) for tenant, part in parts.items() for member in part.members]
        return [
            TaskAddress(TaskId(entry_in(member).task_id), tenant)
            for member, tenant in sorted(found)[: max(0, limit)]
        ]

    async def clear(self, lease: Lease) -> StoreResult:
        """Forget everything of the shard but its lease, at one moment."""
        models = self._keys.models(lease.shard)
        for _ in range(_TURNS):
            (reply,) = await self._ask([Request((("HGETALL", models),), models)])
            fields = _pairs(reply)
            revision = fields.pop(b"revision", b"")
            fields.pop(b"checkpoint", None)
            call = FencedCall(self._keys, lease, revision=revision)
            call.forget(_texts(list(fields)))
            if (result := await self._call(call)) is not None:
                return result
        raise _overtaken(models)

    async def page(self, wanted: IndexPage) -> list[IndexEntry]:
        """One page of the index, in one or two round trips a node."""
        return await read_page(self._log.reader, self._keys, wanted)

    async def counts(self, tenant: Tenant, days: Sequence[int]) -> dict[CountKey, int]:
        """All counts of these days that are not 0, in one round trip a node."""
        wanted = [
            (day, self._keys.counts(shard, tenant, day))
            for day in dict.fromkeys(days)
            for shard in range(self._keys.shard_count)
        ]
        replies = await self._ask([Request((("HGETALL", key),), key) for _, key in wanted])
        summed: dict[CountKey, int] = {}
        for (day, _), reply in zip(wanted, replies, strict=True):
            for field, count in _pairs(reply).items():
                counted = read_count(day, field)
                summed[counted] = summed.get(counted, 0) + int(count)
        return {key: count for key, count in summed.items() if count}

    async def _write(
        self, lease: Lease, wanted: Mapping[TaskAddress, Row | None], checkpoint: Checkpoint | None
    ) -> StoreResult:
        for _ in range(_TURNS):
            revision, before = await self._before(lease.shard, list(wanted))
            changes = changes_by_tenant(
                RowChange(address, None if (kept := before[address]) is None else kept.row, row)
                for address, row in wanted.items()
            )
            leaves = await self._leaf_changes(lease.shard, changes)
            call = FencedCall(self._keys, lease, revision=revision)
            for tenant, changed in changes.items():
                places = await self._write_runs(call, tenant, changed, before)
                call.change(tenant, changed, leaves[tenant], places)
            if checkpoint is not None:
                call.checkpoint(checkpoint, feed_kept_ms=self._feed_kept_ms)
            if (result := await self._call(call)) is not None:
                return result
        raise _overtaken(self._keys.models(lease.shard))

    async def _leaf_changes(
        self, shard: int, changes: Mapping[Tenant, TenantChanges]
    ) -> dict[Tenant, LeafChanges]:
        """What becomes of the leaves of each tenant's index; read after the revision, on which they are written."""
        names = {tenant: self._keys.index(shard, tenant) for tenant in changes}
        members = {names[tenant]: (changed.added, changed.removed) for tenant, changed in changes.items()}
        decided = await read_leaf_changes(self._gathered, members)
        return {tenant: decided[name] for tenant, name in names.items()}

    async def _write_runs(
        self,
        call: FencedCall,
        tenant: Tenant,
        changed: TenantChanges,
        before: Mapping[TaskAddress, KeptRow | None],
    ) -> Mapping[TaskId, Placement]:
        """Have the run records of these rows written; says where they lie, those that stay as they are too."""
        places = {
            address.task_id: kept.place
            for address, kept in before.items()
            if address.tenant == tenant and kept is not None and kept.place is not None
        }
        runs = [row.run for row in changed.rows.values() if row is not None and row.run is not None]
        if runs:
            shard = self._keys.shard_of(runs[0].address)
            changes = await begun_changes(self._gathered, self._keys, shard, tenant, runs)
            for run in runs:
                task_id = run.address.task_id
                places[task_id] = changes.take(run, places.get(task_id))
            call.runs(changes)
        return places

    async def _call(self, call: FencedCall) -> StoreResult | None:
        """What became of it; none when it has to be decided anew."""
        (answer,) = await load_script("fenced.lua").run(self._gathered, [call.call()])
        return written(answer)

    async def _before(
        self, shard: int, addresses: Sequence[TaskAddress]
    ) -> tuple[bytes, Mapping[TaskAddress, KeptRow | None]]:
        """The revision, and what these tasks' rows were at that moment."""
        by_key = self._by_key(addresses)
        models = self._keys.models(shard)
        commands = (("HGET", models, "revision"), *(_rows_command(*told) for told in by_key.items()))
        (reply,) = _replies(await self._gathered.exchange([Request(commands, models)]))
        # A single command is answered by its reply, several by a list of theirs.
        revision, *replies = reply if by_key and isinstance(reply, list) else [reply]
        return revision if isinstance(revision, bytes) else b"", _rows_in(_replies(replies), by_key)

    async def _ask(self, requests: Sequence[Request]) -> list[Reply]:
        return _replies(await self._log.reader.exchange(requests)) if requests else []

    def _by_key(self, addresses: Sequence[TaskAddress]) -> Mapping[str, Sequence[TaskAddress]]:
        by_key: dict[str, list[TaskAddress]] = {}
        for address in addresses:
            key = self._keys.rows(self._keys.shard_of(address), address.tenant)
            by_key.setdefault(key, []).append(address)
        return by_key


def _rows_command(key: str, addresses: Sequence[TaskAddress]) -> tuple[bytes | str, ...]:
    return ("HMGET", key, *(row_field(address.task_id) for address in addresses))


def _rows_in(
    replies: Sequence[Reply], by_key: Mapping[str, Sequence[TaskAddress]]
) -> dict[TaskAddress, KeptRow | None]:
    found: dict[TaskAddress, KeptRow | None] = {}
    for (key, addresses), values in zip(by_key.items(), replies, strict=True):
        if not isinstance(values, list) or len(values) != len(addresses):
            raise StoreRefused(f"HMGET {key}", f"unexpected reply {values!r:.100}")
        for address, value in zip(addresses, values, strict=True):
            found[address] = read_kept_row(address, value, key=key) if isinstance(value, bytes) else None
    return found


def _replies(replies: Sequence[Reply]) -> list[Reply]:
    for reply in replies:
        if isinstance(reply, Failed):
            raise reply.error
    return list(replies)


def _pairs(reply: Reply) -> dict[bytes, bytes]:
    words = [word for word in reply if isinstance(word, bytes)] if isinstance(reply, list) else []
    return dict(zip(words[::2], words[1::2], strict=True))


def _texts(reply: Reply) -> list[str]:
    return [word.decode() for word in reply if isinstance(word, bytes)] if isinstance(reply, list) else []


def _overtaken(models: str) -> StoreError:
    return StoreRefused(f"EVALSHA on {models}", f"others wrote first {_TURNS} times in a row; try again")
