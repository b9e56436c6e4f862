"""Sustained events a second into the store, beside raw commands in the same run.

The raw peer encodes every event as the recorder does and sends plain commands (`benchmarks/raw_appends.py` says
what they leave out); the limit is the same without the encoding, and the same with the references that the
recorder leaves shows what those alone cost. redis-py's pipeline and the server's own benchmark client, which
sends the same bytes again and again, are what others would measure.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

import anyio
from redis.asyncio import Redis

from benchmarks.appended_events import LIVE_TASKS, Encoded, events_in_turns, record_all
from benchmarks.case import Bench, Case
from benchmarks.figures import Figure
from benchmarks.raw_appends import send_raw
from benchmarks.targets import APPEND_BESIDE_RAW, APPEND_FEW_TASKS
from relayna.events import Event, encode_event

__all__ = ["APPEND"]

_PIPELINE: Final = 500
_PIPELINED_EVENTS: Final = 16_000
_TOOLS: Final = ("valkey-benchmark", "redis-benchmark")
_TOOL_REQUESTS: Final = 100_000
_WEEK: Final = 604_800

_OURS = "recorder"
_RAW = "raw commands"
_ENCODED = "raw commands, encoded beforehand"
_REFERRING = "raw commands, with references"
_REDIS_PY = "redis-py, pipeline of 500"


def _run(bench: Bench) -> Iterator[Figure]:
    for live in LIVE_TASKS:
        yield from _with_live_tasks(bench, live, max(8_000, live * 8) if bench.quick else 64_000)
    yield _tool(bench)


def _with_live_tasks(bench: Bench, live: int, total: int) -> Iterator[Figure]:
    events = list(events_in_turns(live, total))
    few = events[:_PIPELINED_EVENTS]
    encoded = Encoded(events)
    ways: dict[str, Callable[[], float]] = {
        _ENCODED: lambda: len(events) / _raw(bench, events, encoded),
        _RAW: lambda: len(events) / _raw(bench, events, encode_event),
        _REFERRING: lambda: len(events) / _raw(bench, events, encode_event, referring=True),
        _OURS: lambda: len(events) / anyio.run(record_all, bench.store_url, bench.fresh_prefix(), events),
        _REDIS_PY: lambda: len(few) / anyio.run(_pipelined, bench.store_url, bench.fresh_prefix(), few),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(bench.rounds):
        for name, way in ways.items():
            rates[name].append(way())
    few_tasks = APPEND_FEW_TASKS if live == LIVE_TASKS[0] else None
    for name, samples in rates.items():
        is_ours = name == _OURS
        yield Figure(
            name=f"{live:,} live tasks, {name}",
            unit="events/s",
            samples=samples,
            target=few_tasks if is_ours else None,
            beside=f"{live:,} live tasks, {_RAW}" if is_ours else "",
        )
    for peer, target in ((_RAW, APPEND_BESIDE_RAW), (_REFERRING, None)):
        ratios = [own / other for own, other in zip(rates[_OURS], rates[peer], strict=True)]
        yield Figure(
            name=f"{live:,} live tasks, {_OURS} beside {peer}", unit="x", samples=ratios, target=target
        )


def _raw(
    bench: Bench, events: list[Event], encode: Callable[[Event], bytes], *, referring: bool = False
) -> float:
    async def send() -> float:
        return await send_raw([bench.store_url], bench.fresh_prefix(), events, encode, referring=referring)

    return anyio.run(send)


async def _pipelined(url: str, prefix: str, events: list[Event]) -> float:
    async with Redis.from_url(url) as client:
        gc.collect()
        start = perf_counter()
        for first in range(0, len(events), _PIPELINE):
            pipeline = client.pipeline(transaction=False)
            batch = events[first : first + _PIPELINE]
            for event in batch:
                pipeline.xadd(f"{prefix}:{event.envelope.task_id}", {"f": encode_event(event)})
            for task_id in dict.fromkeys(event.envelope.task_id for event in batch):
                pipeline.expire(f"{prefix}:{task_id}", _WEEK)
            await pipeline.execute()
        return perf_counter() - start


def _tool(bench: Bench) -> Figure:
    """Commands a second that the server's own client sends: XADD, pipelined by 100, nothing encoded."""
    tool = next(filter(None, map(shutil.which, _TOOLS)), None)
    name = "the server's own benchmark client"
    if tool is None:
        return Figure(name=name, unit="events/s", note=f"none of {', '.join(_TOOLS)} is installed")
    address = urlsplit(bench.store_url)
    command = [
        tool, "-h", str(address.hostname), "-p", str(address.port), "-c", "4", "-P", "100", "-r", "2000",
        "-n", str(_TOOL_REQUESTS), "--csv", "XADD", f"{bench.fresh_prefix()}:__rand_int__", "*", "f", "x" * 200,
    ]  # fmt: skip
    rates: list[float] = []
    for _ in range(bench.rounds):
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        rates.append(float(said.stdout.splitlines()[-1].split('","')[1]))
    return Figure(name=name, unit="events/s", samples=rates, note="XADD of 200 bytes, pipelined by 100")


APPEND: Final = Case(
    "append",
    "Sustained events a second into the store, with expiry, eight events a task; raw commands beside.",
    _run,
)
