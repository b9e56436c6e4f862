"""Memory on the store: what streams, lists and run records take, of tasks recorded, sealed and folded by the product.

By `MEMORY USAGE` of every key, whole. A prefix of two shards stands for a store of 32 times as many tasks in
64: what matters is how many share a shard. Run records are measured once more in a week that is as full as those of
100,000 runs: a store with fewer has their keys nearly to each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import anyio
from msgspec import Struct

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, Target
from benchmarks.sessions import stored_runs, tree
from benchmarks.targets import INDEX_MEMORY, LIVE_MEMORY, RUN_EDGE_MEMORY, SEALED_MEMORY
from benchmarks.tasks import FRAMES_A_TASK, MadeTask, made_tasks, record_tasks
from relayna.clock import SystemClock
from relayna.instants import Instant
from relayna.observability.read_models import Indexer, read_models_beside
from relayna.observability.sealer import Sealer
from relayna.streams import TaskAddress
from relayna.streams.redis import RedisLog
from relayna.streams.redis.requests import Request
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.redis.store import asked

__all__ = ["MEMORY"]

_SHARDS: Final = 2
_AGO: Final = 3_600_000_000
_RUNS: Final = 25_000
"""In one shard: as full as 64 are of 100,000 and more."""
_RUNS_A_SESSION: Final = 50


_SHARES: Final = {"rows": "rows", "index": "entries of lists", "counts": "statistics", "runs": "run records"}


class _Kind(Struct, frozen=True):
    """Tasks that differ in what they say."""

    name: str
    readable: bool
    bare: bool
    frames: int = FRAMES_A_TASK


_KINDS: Final = (
    _Kind("8 bare events in one frame", readable=True, bare=True, frames=1),
    _Kind("8 events in 4 frames", readable=True, bare=False),
    _Kind("8 events in 4 frames, ids are UUIDs", readable=False, bare=False),
)


def _run(bench: Bench) -> Iterator[Figure]:
    for kind in _KINDS:
        for what, taken, target in anyio.run(_measure, bench, kind):
            yield Figure(name=f"{kind.name}: {what}", unit="B/task", samples=[taken], target=target)
    if not bench.quick:
        edge = anyio.run(_run_records, bench)
        name = "run records, runs ask for three each"
        yield Figure(name=name, unit="B/edge", samples=[edge], target=RUN_EDGE_MEMORY)


async def _measure(bench: Bench, kind: _Kind) -> list[tuple[str, float, Target | None]]:
    """What takes how many bytes a task, and what it should."""
    count = 400 if bench.quick else 1_600
    born = Instant(SystemClock().now() - _AGO)
    tasks = made_tasks(count, born=born, readable=kind.readable, bare=kind.bare)
    async with RedisLog(bench.store_url, prefix=bench.fresh_prefix(), shard_count=_SHARDS) as log:
        await record_tasks(log, tasks, frames=kind.frames)
        live, feed = await _streams(log, tasks), (await _shares(log))["feed"]
        await Sealer(log, quiet_seconds=0).walk()
        sealed = await _streams(log, tasks)
        await Indexer(log=log, read_models=read_models_beside(log)).catch_up()
        shares = await _shares(log)
    taken: list[tuple[str, int, Target | None]] = [
        ("live stream", live, LIVE_MEMORY),
        ("sealed stream", sealed, SEALED_MEMORY),
        ("references in the feed, for an hour", feed, None),
        ("all indexes", shares.total() - shares["feed"], INDEX_MEMORY),
        *((f"of which {share}", shares[share], None) for share in _SHARES.values()),
    ]
    return [(what, amount / count, target) for what, amount, target in taken]


async def _streams(log: RedisLog, tasks: Sequence[MadeTask]) -> int:
    """Bytes of the streams of these tasks."""
    names = [log.keys.events(TaskAddress(task.task_id)) for task in tasks]
    return sum(await _usages(log, names))


async def _usages(log: RedisLog, names: Sequence[str]) -> list[int]:
    """Bytes of each key, with its name and its place among all keys."""
    requests = [Request((("MEMORY", "USAGE", name, "SAMPLES", 0),), name) for name in names]
    return [usage if isinstance(usage, int) else 0 for usage in await log.store.exchange(requests)]


async def _run_records(bench: Bench) -> float:
    """Bytes an edge."""
    async with RedisLog(bench.store_url, prefix=bench.fresh_prefix(), shard_count=1) as log:
        records = RedisRunRecords(log)
        sessions = _RUNS // _RUNS_A_SESSION
        for first in range(0, sessions, 100):
            seeds = range(first, first + 100)
            runs = [run for seed in seeds for run in tree(_RUNS_A_SESSION, abreast=3, seed=seed)]
            await records.restore(stored_runs(runs))
        keys = await asked(log.store, None, "KEYS", f"{log.keys.prefix}:{{0}}:default:*")
        names = [one.decode() for one in keys if isinstance(one, bytes)] if isinstance(keys, list) else []
        return sum(await _usages(log, names)) / _RUNS


async def _shares(log: RedisLog) -> Counter[str]:
    """Bytes by what a key is for; streams are left out."""
    found: Counter[str] = Counter()
    for shard in range(_SHARDS):
        names = [log.keys.feed(shard), log.keys.models(shard)]
        reply = await asked(log.store, None, "KEYS", f"{log.keys.prefix}:{{{shard}}}:default:*")
        names += [one.decode() for one in reply if isinstance(one, bytes)] if isinstance(reply, list) else []
        for name, usage in zip(names, await _usages(log, names), strict=True):
            parts = name.rsplit("}:", 1)[1].split(":")
            kind = parts[1] if len(parts) > 1 else parts[0]
            found[_SHARES.get(kind, kind)] += usage
    return found


MEMORY: Final = Case(
    "memory",
    "Bytes a task, of tasks of eight events of 163 bytes (bare), 191 or 211; one of ten fails once and is retried.",
    _run,
)
