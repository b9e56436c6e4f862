"""The checks as they are asked for: shared, remembered, and told when they change."""

from __future__ import annotations

import logging
from collections import Counter

import anyio
import pytest
from servers import StoreUnderTest
from streams.faulty_log import FaultyLog
from streams.log_harness import ORDER, appended_ids

from relayna.clock import FrozenClock
from relayna.errors import StoreUnreachable
from relayna.observability.checks import Check, CheckReport, StoreHealth
from relayna.streams import MemoryLog
from relayna.streams.log import Append
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio


class SilentLog(FaultyLog):
    """A log whose store may be silent, and which counts who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = False
        self.asked = 0

    async def ping(self) -> None:
        self.asked += 1
        if self.silent:
            raise StoreUnreachable("redis://***@secret-host:6379/0", "gone")


async def test_a_log_in_memory_only_answers() -> None:
    report = await StoreHealth(MemoryLog()).report()
    assert [(check.name, check.state) for check in report.checks] == [("store", "ok")]


async def test_an_answer_is_shared_and_then_too_old() -> None:
    log, clock = SilentLog(), FrozenClock()
    health = StoreHealth(log, clock=clock)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(health.report)
    assert log.asked == 1
    clock.advance(6)
    log.silent = True
    report = await health.report()
    assert (report.state, log.asked, health.latest) == ("failed", 2, report)
    assert "secret-host" not in f"{report}"


async def test_what_changes_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    health = StoreHealth(MemoryLog())
    bad = Check(name="rights", state="warning", found="Not all.", advice="Allow it.")
    with caplog.at_level(logging.INFO, logger="relayna.checks"):
        for checks in ([bad], [bad], [Check(name="rights", state="ok", found="All.")], []):
            health._tell(CheckReport(checked_at=0, checks=checks))  # type: ignore[arg-type]
    assert caplog.messages == ["rights: Not all. Allow it.", "rights: All."]


async def test_it_watches(caplog: pytest.LogCaptureFixture) -> None:
    log, clock = SilentLog(), FrozenClock()
    log.silent = True
    health = StoreHealth(log, clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(health.watch)
        while health.latest is None:
            await anyio.lowlevel.checkpoint()
        first = health.latest
        log.silent = False
        clock.advance(60)
        while health.latest is first:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert (first.state, health.latest.state) == ("failed", "ok")
    assert "The store does not answer." in caplog.text


async def test_a_real_store_is_looked_at_as_a_whole(store: StoreUnderTest) -> None:
    async with RedisLog(store.url, prefix=store.prefix, shard_count=4) as log:
        appended_ids(await log.append([Append(ORDER, b"x", "open")]))
        report = await StoreHealth(log).report()

    states = {check.name: check.state for check in report.checks}
    assert states.pop("append_only_file") == "warning"
    assert set(states.values()) == {"ok"}
    assert len(states) == 10


async def test_what_is_found_is_counted_once_for_each_asking() -> None:
    clock, counted = FrozenClock(), Counter[str]()

    class Counting:
        def increment(self, name: str, by: int = 1, **labels: str) -> None:
            counted[f"{name}{{{labels['source']},{labels['outcome']}}}"] += by

    health = StoreHealth(MemoryLog(), clock=clock, counters=Counting())
    await health.report()
    await health.report()  # the same answer
    assert counted == {"relayna_store_checks_total{store,ok}": 1}
    clock.advance(6)
    await health.report()
    assert counted == {"relayna_store_checks_total{store,ok}": 2}
