"""The memory log: the contract of every log, and a clock that only moves when told."""

from __future__ import annotations

import pytest
from streams.log_contract import LogContract
from streams.log_harness import (
    OPEN_RETENTION_SECONDS,
    ORDER,
    RETENTION_SECONDS,
    address,
    appended_ids,
    page_of,
)

from relayna.clock import FrozenClock
from relayna.errors import InvalidSetting
from relayna.ids import stream_position
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import FEED_RETENTION_SECONDS, Append
from relayna.streams.memory import MemoryLog


class MemoryHarness:
    """A memory log and its clock."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self._log: MemoryLog | None = None

    def log(
        self,
        *,
        shard_count: int = 4,
        retention_seconds: int = RETENTION_SECONDS,
        open_retention_seconds: int = OPEN_RETENTION_SECONDS,
    ) -> MemoryLog:
        self._log = MemoryLog(
            shard_count=shard_count,
            retention_seconds=retention_seconds,
            open_retention_seconds=open_retention_seconds,
            clock=self.clock,
        )
        return self._log

    async def trim(self, of: TaskAddress, *, keep: int) -> None:
        assert self._log is not None
        self._log.trim(of, keep=keep)

    async def delete(self, of: TaskAddress) -> None:
        assert self._log is not None
        self._log.delete(of)

    async def age(self, of: TaskAddress, *, seconds: int) -> None:
        self.clock.advance(seconds)


class TestMemoryLog(LogContract):
    @pytest.fixture
    def harness(self) -> MemoryHarness:
        return MemoryHarness()


@pytest.mark.anyio
class TestTheClock:
    async def test_ids_are_its_milliseconds_and_a_counter(self) -> None:
        clock = FrozenClock(Instant(5_000_000))
        log = MemoryLog(clock=clock)
        first = appended_ids(await log.append([Append(ORDER, b"a"), Append(ORDER, b"b")]))
        clock.advance(0.25)
        second = appended_ids(await log.append([Append(ORDER, b"c")]))

        assert first + second == ["5000-0", "5000-1", "5250-0"]

    async def test_ids_grow_when_it_steps_back(self) -> None:
        clock = FrozenClock()
        log = MemoryLog(clock=clock)
        ids = appended_ids(await log.append([Append(ORDER, b"a")]))
        clock.advance(-60)
        ids += appended_ids(await log.append([Append(ORDER, b"b"), Append(ORDER, b"c")]))

        assert sorted(set(ids), key=stream_position) == ids

    async def test_streams_that_ended_are_let_go(self) -> None:
        clock = FrozenClock()
        log = MemoryLog(clock=clock, retention_seconds=100)
        for number in range(10):
            await log.append([Append(address(f"t{number}"), b"x"), Append(ORDER, b"x")])
            clock.advance(20)

        assert set(log._streams) == {ORDER, *(address(f"t{number}") for number in range(5, 10))}

    async def test_ended_tasks_are_let_go_before_open_ones(self) -> None:
        clock = FrozenClock()
        log = MemoryLog(clock=clock, retention_seconds=100, open_retention_seconds=1_000)
        tasks = [address(name) for name in ("ended", "open", "moved on")]
        await log.append([Append(task, b"x", "open") for task in tasks])
        await log.append([Append(tasks[0], b"x", "ended")])
        clock.advance(900)
        await log.append([Append(tasks[2], b"x", "open")])
        before = set(log._streams)
        clock.advance(150)
        await log.append([Append(ORDER, b"x")])

        assert before == {tasks[1], tasks[2]}
        assert set(log._streams) == {tasks[2], ORDER}

    async def test_feeds_end_too(self) -> None:
        clock = FrozenClock()
        log = MemoryLog(clock=clock, shard_count=1)
        await log.append([Append(ORDER, b"x")])
        before = await log.read_feed(0)
        clock.advance(FEED_RETENTION_SECONDS)
        after = await log.read_feed(0)
        await log.append([Append(ORDER, b"x")])

        assert (len(before), len(after), len(await log.read_feed(0))) == (1, 0, 1)


@pytest.mark.anyio
async def test_it_works_with_nothing_said() -> None:
    async with MemoryLog() as log:
        await log.append([Append(ORDER, b"x")])
        log.trim(address("absent"), keep=1)
        log.delete(address("absent"))
        assert len((await page_of(log, ORDER)).entries) == 1


def test_a_prefix_with_a_brace_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="prefix"):
        MemoryLog(prefix="a{b")
