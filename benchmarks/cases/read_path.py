"""The whole read path: stored streams into JSON, beside one awaited redis-py XRANGE of the same stream."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import anyio
from msgspec import Struct
from redis.asyncio import Redis

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, growth_exponent
from benchmarks.histories import History
from benchmarks.measuring import interleaved_async
from benchmarks.targets import GRAPH_BESIDE_XRANGE, GRAPH_LARGE, GRAPH_MEMORY, GRAPH_MIDDLE
from benchmarks.workloads import TASK_ID, WORKLOADS
from relayna.events import decode_frame
from relayna.ids import StreamId
from relayna.observability.graph_service import ExecutionGraphService
from relayna.projections.graph import encode_graph
from relayna.streams import Append, NotAppended
from relayna.streams.redis.log import RedisLog

__all__ = ["READ_PATH"]

_SIZES: Final = (20, 1_000, 10_000, 100_000)
_EVENTS_A_SAMPLE: Final = 4_000
_APPENDED_AT_ONCE: Final = 500
_PROCESS_STATUS: Final = Path("/proc/self/status")
"""Linux only; elsewhere memory is not measured."""


class _Stored(Struct):
    """One history in the store, and what reading it cost: seconds, a sample a round."""

    log: RedisLog
    events: int
    graph: list[float] = []
    xrange: list[float] = []


def _run(bench: Bench) -> list[Figure]:
    sizes = _SIZES[:3] if bench.quick else _SIZES
    history = bench.history(WORKLOADS[0], sizes[-1])
    prefixes = {size: bench.fresh_prefix() for size in sizes}
    stored = anyio.run(_measure, bench, history, prefixes)
    figures = list(_figures(stored))
    growth = [_memory_growth(bench.store_url, prefixes[sizes[-1]])] if _PROCESS_STATUS.exists() else []
    target = GRAPH_MEMORY if sizes[-1] == 100_000 else None
    figures.append(
        Figure(name=f"{sizes[-1]:,} events, process grows by", unit="MB", samples=growth, target=target)
    )
    return figures


async def _measure(bench: Bench, history: History, prefixes: dict[int, str]) -> dict[int, _Stored]:
    found: dict[int, _Stored] = {}
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(Redis.from_url(bench.store_url))
        for size, prefix in prefixes.items():
            log = await opened.enter_async_context(RedisLog(bench.store_url, prefix=prefix))
            found[size] = await _store(log, history.first_appends(size))
        for stored in found.values():
            service = ExecutionGraphService(log=stored.log)
            stream = stored.log.keys.events(history.frames[0].append.address)

            async def graph(service: ExecutionGraphService = service) -> bytes:
                return encode_graph(await service.get_graph(TASK_ID))

            async def xrange(stream: str = stream) -> object:
                return await client.xrange(stream)

            times = max(1, _EVENTS_A_SAMPLE // stored.events)
            samples = await interleaved_async(
                {"graph": graph, "xrange": xrange}, rounds=bench.rounds, times=times
            )
            stored.graph, stored.xrange = samples["graph"], samples["xrange"]
    return found


async def _store(log: RedisLog, appends: Sequence[Append]) -> _Stored:
    events = 0
    for start in range(0, len(appends), _APPENDED_AT_ONCE):
        batch = appends[start : start + _APPENDED_AT_ONCE]
        for append, result in zip(batch, await log.append(batch), strict=True):
            if isinstance(result, NotAppended):
                raise result.error
            frame = decode_frame(append.payload, task_id=append.address.task_id, stream_id=StreamId("0-0"))
            events += len(frame.events)
    return _Stored(log, events)


def _figures(stored: dict[int, _Stored]) -> Iterator[Figure]:
    for size, one in stored.items():
        name = f"{size:,} events"
        per_event = [sample / one.events * 1e6 for sample in one.graph]
        target = GRAPH_MIDDLE if size == 1_000 else None
        yield Figure(name=f"{name}, graph", unit="µs/event", samples=per_event, target=target)
        beside = [sample / one.events * 1e6 for sample in one.xrange]
        yield Figure(name=f"{name}, XRANGE", unit="µs/event", samples=beside)
        ratios = [graph / xrange for graph, xrange in zip(one.graph, one.xrange, strict=True)]
        target = GRAPH_BESIDE_XRANGE if size == 20 else None
        yield Figure(name=f"{name}, graph beside XRANGE", unit="x", samples=ratios, target=target)
        if size == 100_000:
            yield Figure(name=f"{name}, graph", unit="s", samples=one.graph, target=GRAPH_LARGE)
    larger = {one.events: one.graph for size, one in stored.items() if size >= 1_000}
    exponents = [
        growth_exponent(dict(zip(larger, costs, strict=True))) for costs in zip(*larger.values(), strict=True)
    ]
    yield Figure(name=f"growth from {min(larger):,} to {max(larger):,}", unit="exponent", samples=exponents)


def _memory_growth(url: str, prefix: str) -> float:
    """MB, in a process of its own: the highest mark of this one is no longer known."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        return processes.submit(_growth_of_reading, url, prefix).result()


def _growth_of_reading(url: str, prefix: str) -> float:
    async def read() -> float:
        async with RedisLog(url, prefix=prefix) as log:
            gc.collect()
            before = _highest_memory()
            encode_graph(await ExecutionGraphService(log=log).get_graph(TASK_ID))
            return _highest_memory() - before

    return anyio.run(read)


def _highest_memory() -> float:
    """The most memory this process ever had, in MB. (`ru_maxrss` also counts that of who started it.)"""
    lines = _PROCESS_STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


READ_PATH: Final = Case(
    "read_path",
    "A stored stream to the bytes of its graph, beside one awaited redis-py XRANGE of the same stream. "
    "Targets P7 are meant at the ASGI boundary, which is one layer above.",
    _run,
)
