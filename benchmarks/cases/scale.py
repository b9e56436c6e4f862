"""Cost as work grows: the same work in stores of 1,000 tasks and of up to a million, round by round in turn.

Each store is a server of its own, filled as `benchmarks/filling.py` says, and asked through the product alone: the
recorder, the indexer, the services behind the routes. Beside the time of each is how it compares with that among
1,000 tasks in the same round. What the servers were asked meanwhile is from their own `INFO commandstats`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import Final

import anyio
import redis

from benchmarks.case import Bench, Case, store_binary
from benchmarks.figures import Figure
from benchmarks.filling import fill
from benchmarks.measuring import seconds_async
from benchmarks.scale_work import WORK, StoreAtWork, Work
from benchmarks.targets import GROWTH_OF_COST, SCANNING_COMMANDS
from relayna.clock import SystemClock
from relayna.instants import Instant
from relayna.streams.embedded import EmbeddedServer
from relayna.streams.redis import RedisLog

__all__ = ["SCALE"]

_SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
_QUICK_SIZES: Final = (1_000, 5_000)
_SCANNING: Final = ("scan", "keys", "hscan", "sscan", "zscan", "sort", "smembers", "lrange", "randomkey")


def _run(bench: Bench) -> Iterator[Figure]:
    sizes = _QUICK_SIZES if bench.quick else _SIZES
    now, prefix = SystemClock().now(), bench.fresh_prefix()
    with ExitStack() as opened:
        # The largest is the one whose memory is reported.
        small = [opened.enter_context(EmbeddedServer(binary=store_binary())).url for _ in sizes[:-1]]
        urls = dict(zip(sizes, [*small, bench.store_url], strict=True))
        taken = {size: _filled(url, prefix, size, now) for size, url in urls.items()}
        samples, scanning = anyio.run(_measure, bench, urls, prefix, now)
    for work in WORK:
        yield from _figures(work, {size: samples[size][work.name] for size in sizes})
    for size in sizes:
        yield Figure(name=f"{size:,} tasks: in the store", unit="B/task", samples=[taken[size]])
    yield Figure(name="commands that scan", unit="", samples=[float(scanning)], target=SCANNING_COMMANDS)


def _figures(work: Work, samples: Mapping[int, list[float]]) -> Iterator[Figure]:
    few, *more = samples
    fewest = f"{work.name}, {few:,} tasks"
    for size, taken in samples.items():
        name = fewest if size == few else f"{work.name}, {size:,} tasks"
        yield Figure(name=name, unit=work.unit, samples=[one / work.parts for one in taken])
    for size in more:
        ratios = [one / other for one, other in zip(samples[size], samples[few], strict=True)]
        name = f"{work.name}: {size:,} tasks beside {few:,}"
        yield Figure(name=name, unit="x", samples=ratios, target=GROWTH_OF_COST, beside=fewest)


def _filled(url: str, prefix: str, tasks: int, now: Instant) -> float:
    """Fill a store; bytes a task."""
    with redis.Redis.from_url(url) as client:
        before = client.info("memory")["used_memory"]
        fill(url, prefix, tasks, now=now)
        return float(client.info("memory")["used_memory"] - before) / tasks


async def _measure(
    bench: Bench, urls: Mapping[int, str], prefix: str, now: Instant
) -> tuple[dict[int, dict[str, list[float]]], int]:
    """Seconds a time, by size and work; and how many commands have scanned."""
    samples: dict[int, dict[str, list[float]]] = {size: {work.name: [] for work in WORK} for size in urls}
    async with AsyncExitStack() as opened:
        logs = {
            size: await opened.enter_async_context(RedisLog(url, prefix=prefix)) for size, url in urls.items()
        }
        stores = {size: StoreAtWork(log, size, filled_at=now) for size, log in logs.items()}
        for store in stores.values():
            for work in WORK:
                await work.once(store)
        before = [_scanning_commands(url) for url in urls.values()]
        for number in range(bench.rounds):
            # Each round begins with another, so that none is always after the same.
            for work in WORK:
                for size in _turned(list(stores), number):
                    taken = await seconds_async(
                        partial(work.once, stores[size]), times=1 if bench.quick else work.times
                    )
                    samples[size][work.name].append(taken)
        after = [_scanning_commands(url) for url in urls.values()]
    return samples, sum(after) - sum(before)


def _turned(sizes: list[int], number: int) -> list[int]:
    first = number % len(sizes)
    return sizes[first:] + sizes[:first]


def _scanning_commands(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        told = client.info("commandstats")
    return sum(one["calls"] for name, one in told.items() if name.removeprefix("cmdstat_") in _SCANNING)


SCALE: Final = Case(
    "scale",
    "The same work in stores of 1,000 to 1,000,000 tasks of eight events, all of them in lists, in turn.",
    _run,
)
