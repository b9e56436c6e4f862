"""T3 and T4 with a spool: more is recorded than memory may hold, and each answer of `durable` is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from reliability.recording_load import RecordingLoad, judge_recorded
from reliability.report import ReliabilityReport
from reliability.sizes import sized
from reliability.store_server import StoreServer

from relayna.streams.redis.log import RedisLog
from relayna.streams.sink import Durability
from relayna.streams.spool import Spool

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

_HELD = 100
"""Events that memory may hold: those of a dozen tasks."""


@asynccontextmanager
async def under_load(load: RecordingLoad) -> AsyncIterator[None]:
    """It records while the context lasts; when it is left, all is in the store."""
    async with load, anyio.create_task_group() as running:
        running.start_soon(load.run)
        yield
        load.stop()
        with anyio.fail_after(600):
            while await load.recorder.durable(budget_seconds=1) is not Durability.STORED:
                await anyio.lowlevel.checkpoint()


@sized(kills=10)
async def test_the_store_is_killed_and_comes_back(
    kills: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T3: whoever asks is told that it is safe, and it is."""
    journal = tmp_path / "journal"
    async with StoreServer(tmp_path / "store") as server:
        load = RecordingLoad(RedisLog(server.url), journal, max_events=_HELD, spool=Spool(tmp_path / "spool"))
        async with under_load(load):
            for _ in range(kills):
                await load.goes_on(50)
                await server.kill()
                await load.goes_on(50)
                await server.restart()
        async with RedisLog(server.url) as log:
            findings = await judge_recorded(log, journal, faults=kills)
    assert load.answers[Durability.LOST] == 0
    assert load.answers[Durability.SPOOLED] > 0
    reliability.add("T3 store killed, with a spool", findings)


@sized(freezes=10)
async def test_the_store_freezes(freezes: int, tmp_path: Path, reliability: ReliabilityReport) -> None:
    """T4: what was on its way may have been carried out and is spooled all the same; the graph has it once."""
    journal = tmp_path / "journal"
    async with StoreServer(tmp_path / "store") as server:
        load = RecordingLoad(
            RedisLog(f"{server.url}?socket_timeout=0.2"),
            journal,
            max_events=_HELD,
            spool=Spool(tmp_path / "spool"),
        )
        async with under_load(load):
            for _ in range(freezes):
                await load.goes_on(20)
                frozen = server.freeze(1.0)
                await load.goes_on(20)
                await anyio.to_thread.run_sync(frozen.join)
        async with RedisLog(server.url) as log:
            findings = await judge_recorded(log, journal, faults=freezes)
    assert load.answers[Durability.LOST] == 0
    assert load.answers[Durability.SPOOLED] > 0
    reliability.add("T4 store frozen, with a spool", findings)
