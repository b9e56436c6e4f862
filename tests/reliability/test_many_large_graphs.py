"""T31: many ask for huge graphs at once. The server lives on, and who cannot be answered is told when to ask again."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx2
import pytest
from reliability.big_shapes import big_shapes, store
from reliability.report import Findings, ReliabilityReport
from reliability.served import served
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna.streams.redis import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

FULL = 200
HUGE = ("long", "children", "wide")
MOST_MILLISECONDS = 200.0


@sized(requests=FULL, size=100_000)
async def test_the_server_lives_on(
    requests: int, size: int, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """All at once: half of them questions that nobody else asks, half the same few."""
    shapes = big_shapes(size)
    async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
        frames = sum([await store(log, shapes[name]) for name in HUGE])
    apart = [f"/executions/{HUGE[n % 3]}/graph?max_nodes={6_000 + n}" for n in range(requests // 2)]
    alike = [f"/executions/{HUGE[n % 3]}/graph" for n in range(requests - requests // 2)]
    found: Counter[str] = Counter()
    async with served(any_store) as server:
        at_rest = server.resident_mb()
        async with probing(server.url) as latencies:
            await ask_all(server.url, apart + alike, found)
        grown = server.most_resident_mb() - at_rest
    ordered = sorted(latencies)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    reliability.measured(
        "T31", answers=str(dict(sorted(found.items()))), livez_asked=len(ordered),
        livez_p50_ms=ordered[len(ordered) // 2], livez_p99_ms=p99, livez_most_ms=ordered[-1], grown_by_MB=grown,
    )  # fmt: skip
    assert requests < FULL or p99 < MOST_MILLISECONDS
    assert found["200"] > 0
    unexpected = requests - found["200"] - found["503"]
    reliability.add("T31 many large graphs", Findings(events=frames, faults=requests, unexpected=unexpected))


async def ask_all(url: str, targets: list[str], found: Counter[str]) -> None:
    """Ask all of them at once; by status, how many were answered with it as they should be."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(base_url=url, timeout=120, limits=limits) as client:

        async def ask(target: str) -> None:
            async with client.stream("GET", target) as answer:
                size = sum([len(chunk) async for chunk in answer.aiter_raw()])
            whole = size == int(answer.headers["content-length"])
            told = answer.status_code == 200 or "retry-after" in answer.headers
            found[str(answer.status_code) if whole and told else f"odd {answer.status_code}"] += 1

        async with anyio.create_task_group() as tasks:
            for target in targets:
                tasks.start_soon(ask, target)


@asynccontextmanager
async def probing(url: str) -> AsyncIterator[list[float]]:
    """Ask whether the server lives, again and again meanwhile; the milliseconds are there afterwards."""
    place = urlsplit(url)
    script = Path(__file__).with_name("livez_prober.py")
    command = [sys.executable, str(script), str(place.hostname), str(place.port)]
    latencies: list[float] = []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with await anyio.to_thread.run_sync(partial(subprocess.Popen, command, text=True, **pipes)) as process:
        assert process.stdout is not None
        try:
            assert await anyio.to_thread.run_sync(process.stdout.readline) == "ready\n"
            yield latencies
            told, _ = await anyio.to_thread.run_sync(process.communicate)
            latencies += map(float, told.split())
        finally:
            if process.poll() is None:
                process.kill()
    assert process.returncode == 0
