"""The whole read path: a GET at the ASGI boundary, beside one awaited redis-py XRANGE of the same stream."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
from msgspec import Struct
from redis.asyncio import Redis

from benchmarks.asking import asked, over_tcp
from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, Target, growth_exponent
from benchmarks.histories import History
from benchmarks.measuring import interleaved_async
from benchmarks.reading_families import family_figures
from benchmarks.stored import graph_path, reading_app, store_history
from benchmarks.targets import (
    GRAPH_BESIDE_EARLIER_MIDDLE,
    GRAPH_BESIDE_EARLIER_SMALL,
    GRAPH_BESIDE_XRANGE,
    GRAPH_LARGE,
    GRAPH_MEMORY,
    GRAPH_MIDDLE,
    UNCHANGED_BESIDE_PING,
)
from benchmarks.workloads import TASK_ID, WORKLOADS
from relayna.events import decode_frame
from relayna.ids import StreamId, TaskId
from relayna.streams import TaskAddress
from relayna.streams.redis.log import RedisLog

__all__ = ["READ_PATH"]

_SIZES: Final = (20, 1_000, 10_000, 100_000)
_OVER_TCP: Final = 1_000
"""Events, and fewer."""
_EVENTS_A_SAMPLE: Final = 4_000
_WHOLE: Final = "max_nodes=50000"
"""The most that HTTP gives; of 100,000 events a part of the nodes is left out."""
_PROCESS_STATUS: Final = Path("/proc/self/status")
"""Linux only; elsewhere memory is not measured."""
_EARLIER_SECONDS: Final = {20: 2.6e-3, 1_000: 109e-3}
"""Of the best-known earlier implementation, as recorded on a machine like this; not run here."""
_EARLIER_TARGETS: Final = {20: GRAPH_BESIDE_EARLIER_SMALL, 1_000: GRAPH_BESIDE_EARLIER_MIDDLE}

_Samples = dict[str, list[float]]
_Works = dict[str, Callable[[], Awaitable[object]]]


class _Measured(Struct):
    """One history in the store, and what reading it cost: seconds by what was done, a sample a round."""

    events: int
    samples: _Samples


def _run(bench: Bench) -> Iterator[Figure]:
    sizes = _SIZES[:3] if bench.quick else _SIZES
    history = bench.history(WORKLOADS[0], sizes[-1])
    prefixes = {size: bench.fresh_prefix() for size in sizes}
    measured = anyio.run(_measure, bench, history, prefixes)
    for size, one in measured.items():
        yield from _figures(size, one)
    yield _growth({one.events: one.samples["cold"] for size, one in measured.items() if size >= 1_000})
    yield from family_figures(bench)
    growth = [_memory_growth(bench.store_url, prefixes[sizes[-1]])] if _PROCESS_STATUS.exists() else []
    target = GRAPH_MEMORY if sizes[-1] == 100_000 else None
    yield Figure(name=f"{sizes[-1]:,} events, process grows by", unit="MB", samples=growth, target=target)


async def _measure(bench: Bench, history: History, prefixes: dict[int, str]) -> dict[int, _Measured]:
    measured: dict[int, _Measured] = {}
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(Redis.from_url(bench.store_url))
        for size, prefix in prefixes.items():
            log = await opened.enter_async_context(RedisLog(bench.store_url, prefix=prefix))
            events = await store_history(log, history.first_appends(size))
            works = await _works(log, client, size, history.frames[0].append.address.task_id)
            if size <= _OVER_TCP:
                tcp = await opened.enter_async_context(over_tcp(reading_app(log)))
                works["over TCP"] = partial(tcp.get, graph_path(TASK_ID))
            times = max(1, _EVENTS_A_SAMPLE // events)
            measured[size] = _Measured(
                events, await interleaved_async(works, rounds=bench.rounds, times=times)
            )
    return measured


async def _works(log: RedisLog, client: Any, size: int, task_id: TaskId) -> _Works:  # Any: redis-py's client
    path, query = graph_path(TASK_ID), _WHOLE if size > _OVER_TCP else ""
    cold, warm = reading_app(log), reading_app(log, keeps=True)
    stream = log.keys.events(TaskAddress(task_id))
    etag = (await asked(cold, path, query=query)).headers[b"etag"]

    async def xrange_and_decode() -> None:
        for stream_id, fields in await client.xrange(stream):
            decode_frame(fields[b"f"], task_id=task_id, stream_id=StreamId(stream_id.decode()))

    works: _Works = {
        "cold": partial(asked, cold, path, query=query),
        "warm": partial(asked, warm, path, query=query),
        "XRANGE": partial(client.xrange, stream),
        "XRANGE and decode": xrange_and_decode,
    }
    if size == min(_SIZES):
        works |= {"unchanged": partial(asked, cold, path, etag=etag), "PING": client.ping}
    return works


def _figures(size: int, measured: _Measured) -> Iterator[Figure]:
    samples, name = measured.samples, f"{size:,} events"
    for work in ("cold", "warm", "over TCP", "XRANGE", "XRANGE and decode"):
        if work in samples:
            costs = [sample / measured.events * 1e6 for sample in samples[work]]
            target = GRAPH_MIDDLE if (work, size) == ("cold", 1_000) else None
            beside = f"{name}, XRANGE and decode" if target else ""
            yield Figure(name=f"{name}, {work}", unit="µs/event", samples=costs, target=target, beside=beside)
    target = GRAPH_BESIDE_XRANGE if size == 20 else None
    yield _ratio(f"{name}, cold beside XRANGE", samples["cold"], samples["XRANGE"], target)
    yield _ratio(f"{name}, warm beside XRANGE", samples["warm"], samples["XRANGE"])
    if "PING" in samples:
        unchanged = f"{name}, If-None-Match beside PING"
        yield _ratio(unchanged, samples["unchanged"], samples["PING"], UNCHANGED_BESIDE_PING)
    if size in _EARLIER_SECONDS:
        faster = [_EARLIER_SECONDS[size] / sample for sample in samples["cold"]]
        note = f"whose {_EARLIER_SECONDS[size] * 1e3:g} ms are recorded, not run here"
        name = f"{name}, cold, faster than the earlier implementation"
        yield Figure(name=name, unit="x", samples=faster, target=_EARLIER_TARGETS[size], note=note)
    if size == 100_000:
        yield Figure(name=f"{name}, cold, in all", unit="s", samples=samples["cold"], target=GRAPH_LARGE)


def _ratio(name: str, costs: list[float], beside: list[float], target: Target | None = None) -> Figure:
    ratios = [cost / other for cost, other in zip(costs, beside, strict=True)]
    return Figure(name=name, unit="x", samples=ratios, target=target)


def _growth(costs: dict[int, list[float]]) -> Figure:
    rounds = zip(*costs.values(), strict=True)
    exponents = [growth_exponent(dict(zip(costs, one, strict=True))) for one in rounds]
    return Figure(name=f"growth from {min(costs):,} to {max(costs):,}", unit="exponent", samples=exponents)


def _memory_growth(url: str, prefix: str) -> float:
    """MB, in a process of its own: the highest mark of this one is no longer known."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        return processes.submit(_growth_of_reading, url, prefix).result()


def _growth_of_reading(url: str, prefix: str) -> float:
    async def read() -> float:
        async with RedisLog(url, prefix=prefix) as log:
            app = reading_app(log)
            await asked(app, "/livez")
            gc.collect()
            before = _highest_memory()
            await asked(app, graph_path(TASK_ID), query=_WHOLE)
            return _highest_memory() - before

    return anyio.run(read)


def _highest_memory() -> float:
    """The most memory this process ever had, in MB. (`ru_maxrss` also counts that of who started it.)"""
    lines = _PROCESS_STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


READ_PATH: Final = Case(
    "read_path",
    "GET /executions/{id}/graph at the ASGI boundary, beside one awaited redis-py XRANGE of the same stream. "
    "Cold keeps nothing between requests; warm finds the graph kept, and asks the store whether it is still right.",
    _run,
)
