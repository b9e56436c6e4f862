"""Run records in Redis or Valkey, beside the log's streams and over the log's connections.

Owns which commands make a read, and how records come back from an archive. With rows they are written by
`relayna.streams.redis.read_models`; keys are spelled in `relayna.streams.keys`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final

import anyio.lowlevel

from relayna.errors import StoreError, StoreRefused
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.signals import Counters, IgnoredCounters
from relayna.streams.keys import TaskAddress
from relayna.streams.read_models import Lease
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.read_models_writing import FencedCall, written
from relayna.streams.redis.requests import Request
from relayna.streams.redis.run_records_reading import begun_changes, read_directories, read_hashes
from relayna.streams.redis.run_records_values import (
    Directory,
    Placement,
    fields_of_session,
    part_of,
    placement_of,
    read_run,
    records_among,
    run_field,
    spot_of,
)
from relayna.streams.redis.script import load_script
from relayna.streams.run_records import StoredRun, week_of

__all__ = ["RedisRunRecords"]

_TURNS: Final = 8
_PARTS_AT_ONCE: Final = 64
_FIELDS_AT_ONCE: Final = 4_096
_RUNS_A_CALL: Final = 200


class RedisRunRecords:
    """`RunRecords` beside a log in Redis 7.0 or later, or Valkey; usable while that log is open."""

    def __init__(self, log: RedisLog, *, counters: Counters | None = None) -> None:
        """Counts `relayna_run_records_unreadable_total`: records that another version wrote, and are passed over."""
        self._log = log
        self._keys = log.keys
        self._counters: Counters = counters or IgnoredCounters()

    async def of_session(self, tenant: Tenant, session_id: str) -> list[StoredRun]:
        """All records of a session, by when their runs began: in two round trips a node."""
        spot = spot_of(session_id)
        directories = await self._directories(tenant)
        wanted = [
            (shard, week, part_of(spot, kept.parts))
            for shard, directory in directories.items()
            for week, kept in directory.weeks.items()
        ]
        found = await self._read(tenant, wanted, directories, session_id=session_id)
        return sorted((run for run, _ in found if run.session_id == session_id), key=_order)

    async def of_run(self, address: TaskAddress) -> StoredRun | None:
        """The newest record of a run: looked for in every part of every week of its shard."""
        shard, tenant = self._keys.shard_of(address), address.tenant
        directories = {shard: (await self._directories(tenant, shard))[shard]}
        name = run_field(address.task_id)
        places = [
            (shard, week, part)
            for week, kept in directories[shard].weeks.items()
            for part in range(kept.parts)
        ]
        holding: list[tuple[int, int, int]] = []
        for start in range(0, len(places), _FIELDS_AT_ONCE):
            some = places[start : start + _FIELDS_AT_ONCE]
            keys = [self._keys.runs_of(shard, tenant, week, part) for _, week, part in some]
            replies = await self._ask([Request((("HGET", key, name),), key) for key in keys])
            holding += [place for place, reply in zip(some, replies, strict=True) if reply is not None]
        found = await self._parts(tenant, holding, directories)
        mine = [run for run in found if run.address == address]
        return max(mine, key=lambda run: (run.expires_at, run.began), default=None)

    async def between(self, tenant: Tenant, since: Instant, until: Instant) -> AsyncIterator[StoredRun]:
        """Records of runs that began in that time: week by week, some parts at a time."""
        directories = await self._directories(tenant)
        weeks = sorted({week for directory in directories.values() for week in directory.weeks})
        for week in weeks:
            if not week_of(since) <= week <= week_of(until):
                continue
            places = [
                (shard, week, part)
                for shard, directory in directories.items()
                if week in directory.weeks
                for part in range(directory.weeks[week].parts)
            ]
            for start in range(0, len(places), _PARTS_AT_ONCE):
                some = places[start : start + _PARTS_AT_ONCE]
                for run in await self._parts(tenant, some, directories):
                    if since <= run.began < until:
                        yield run

    async def weeks(self, tenant: Tenant) -> list[int]:
        """The weeks that hold any records, in order."""
        directories = await self._directories(tenant)
        return sorted({week for directory in directories.values() for week in directory.weeks})

    async def restore(self, runs: Sequence[StoredRun]) -> None:
        """Write records from an archive; what is there and as new stays."""
        by_place: dict[tuple[int, Tenant], list[StoredRun]] = {}
        for run in runs:
            place = self._keys.shard_of(run.address), run.address.tenant
            by_place.setdefault(place, []).append(run)
        for (shard, tenant), some in by_place.items():
            for start in range(0, len(some), _RUNS_A_CALL):
                await self._restore(shard, tenant, some[start : start + _RUNS_A_CALL])

    async def forget(
        self, tenant: Tenant, week: int, *, only: Callable[[StoredRun], bool] | None = None
    ) -> bool:
        """Remove all records of a week, a shard at a time, unless one of the shard's may not go."""
        is_gone = True
        for shard in range(self._keys.shard_count):
            for _ in range(_TURNS):
                revision = await self._revision(shard)
                directory = (await self._directories(tenant, shard))[shard]
                kept = directory.weeks.get(week)
                if kept is None:
                    break
                if only is not None and not await self._may_go(tenant, (shard, week), directory, only):
                    is_gone = False
                    break
                call = FencedCall(self._keys, Lease(shard, ""), revision=revision)
                call.forget_week(tenant, week, kept.parts)
                if await self._call(call):
                    break
            else:
                raise _overtaken(self._keys.models(shard))
        return is_gone

    async def _may_go(
        self, tenant: Tenant, place: tuple[int, int], directory: Directory, only: Callable[[StoredRun], bool]
    ) -> bool:
        """Whether every record of a shard's week can be read, and may go."""
        shard, week = place
        parts = range(directory.weeks[week].parts)
        for start in range(0, len(parts), _PARTS_AT_ONCE):
            some = parts[start : start + _PARTS_AT_ONCE]
            names = [self._keys.runs_of(shard, tenant, week, part) for part in some]
            for fields in await read_hashes(self._log.reader, names):
                runs = [run for run, _ in self._records(tenant, week, fields, directory.headings)]
                if len(runs) < records_among(fields) or not all(map(only, runs)):
                    return False
                await anyio.lowlevel.checkpoint()
        return True

    async def _restore(self, shard: int, tenant: Tenant, runs: Sequence[StoredRun]) -> None:
        for _ in range(_TURNS):
            revision = await self._revision(shard)
            changes = await begun_changes(self._log.store, self._keys, shard, tenant, runs)
            before = await self._before(shard, tenant, runs)
            newest = {_kept_as(run): run for run in sorted(runs, key=lambda one: one.expires_at)}
            for kept_as, run in newest.items():
                there = before.get(kept_as)
                if there is None or there[0].expires_at < run.expires_at:
                    changes.take(run, None if there is None else there[1])
            call = FencedCall(self._keys, Lease(shard, ""), revision=revision)
            call.runs(changes)
            if await self._call(call):
                return
        raise _overtaken(self._keys.models(shard))

    async def _before(
        self, shard: int, tenant: Tenant, runs: Sequence[StoredRun]
    ) -> dict[tuple[TaskAddress, int], tuple[StoredRun, Placement]]:
        """What is there of these runs where they would be written, by run and week."""
        directories = await self._directories(tenant, shard)
        weeks = directories[shard].weeks
        places = {
            (shard, week, part_of(spot_of(run.session_id), weeks[week].parts))
            for run in runs
            if (week := week_of(run.began)) in weeks
        }
        found = await self._read(tenant, sorted(places), directories)
        return {_kept_as(run): (run, placement_of(run, pieces)) for run, pieces in found}

    async def _revision(self, shard: int) -> bytes:
        models = self._keys.models(shard)
        (reply,) = await self._ask([Request((("HGET", models, "revision"),), models)])
        return reply if isinstance(reply, bytes) else b""

    async def _call(self, call: FencedCall) -> bool:
        """Whether it was done; not when it has to be decided anew."""
        (answer,) = await load_script("fenced.lua").run(self._log.store, [call.call()])
        return written(answer) is not None

    async def _directories(self, tenant: Tenant, *shards: int) -> dict[int, Directory]:
        asked = shards or range(self._keys.shard_count)
        return await read_directories(self._log.reader, self._keys, asked, tenant)

    async def _parts(
        self, tenant: Tenant, places: Sequence[tuple[int, int, int]], directories: Mapping[int, Directory]
    ) -> list[StoredRun]:
        return [run for run, _ in await self._read(tenant, places, directories)]

    async def _read(
        self,
        tenant: Tenant,
        places: Sequence[tuple[int, int, int]],
        directories: Mapping[int, Directory],
        *,
        session_id: str | None = None,
    ) -> list[tuple[StoredRun, int]]:
        """Every record in these parts (shard, week, part), and in how many pieces it lies.

        With a session, what can be seen to be of another is left out.
        """
        names = [self._keys.runs_of(shard, tenant, week, part) for shard, week, part in places]
        hashes = await read_hashes(self._log.reader, names)
        found: list[tuple[StoredRun, int]] = []
        for (shard, week, _), every in zip(places, hashes, strict=True):
            fields = every if session_id is None else fields_of_session(session_id, every)
            if fields:
                found += self._records(tenant, week, fields, directories[shard].headings)
                await anyio.lowlevel.checkpoint()
        return found

    def _records(
        self, tenant: Tenant, week: int, fields: Mapping[bytes, bytes], headings: Mapping[bytes, bytes]
    ) -> Iterator[tuple[StoredRun, int]]:
        for name in fields:
            try:
                found = read_run(tenant, week, name, fields, headings)
            except ValueError:
                self._counters.increment("relayna_run_records_unreadable_total")
                continue
            if found is not None:
                yield found

    async def _ask(self, requests: Sequence[Request]) -> list[Reply]:
        replies = await self._log.reader.exchange(requests) if requests else []
        for reply in replies:
            if isinstance(reply, Failed):
                raise reply.error
        return list(replies)


def _kept_as(run: StoredRun) -> tuple[TaskAddress, int]:
    return run.address, week_of(run.began)


def _order(run: StoredRun) -> tuple[int, str]:
    return run.began, run.address.task_id


def _overtaken(models: str) -> StoreError:
    return StoreRefused(f"EVALSHA on {models}", f"others wrote first {_TURNS} times in a row; try again")
