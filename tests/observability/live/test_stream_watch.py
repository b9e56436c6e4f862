"""One watch for all streams: who is told, how many requests wait, and a store that goes away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
from observability.live_steps import until
from streams.faulty_log import FaultyLog
from streams.log_harness import address, appended_ids

from relayna.ids import StreamId
from relayna.observability.live.stream_watch import STREAMS_A_GROUP, StreamWatch
from relayna.streams import Append, Log, MemoryLog, TaskAddress
from relayna.streams.log import START

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running(watch: StreamWatch) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch.run)
        yield
        tasks.cancel_scope.cancel()


class Told:
    """Waits for news in the background."""

    def __init__(self, watch: StreamWatch, positions: Mapping[TaskAddress, StreamId]) -> None:
        self._watch = watch
        self._positions = positions
        self.news = False

    async def __call__(self) -> None:
        await self._watch.news(self._positions)
        self.news = True


class WaitedLog(MemoryLog):
    """Knows how many wait in it, and for how many streams each."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[int] = []
        self.most_waiting = 0
        self.asked = 0

    async def changed(
        self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float
    ) -> set[TaskAddress]:
        self.asked += 1
        if not wait_seconds:
            return await super().changed(positions, wait_seconds=0)
        self.waiting.append(len(positions))
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        try:
            return await super().changed(positions, wait_seconds=wait_seconds)
        finally:
            self.waiting.remove(len(positions))


async def append(log: Log, task: TaskAddress) -> StreamId:
    return appended_ids(await log.append([Append(task, b"x")]))[0]


async def test_whoever_waits_for_a_stream_with_news_is_told_and_nobody_else() -> None:
    log = MemoryLog()
    watch = StreamWatch(log)
    one, two, other = (Told(watch, {address(name): START}) for name in ("a", "a", "b"))
    async with running(watch), anyio.create_task_group() as waiting:
        for told in (one, two, other):
            waiting.start_soon(told)
        await until(lambda: len(watch._asked) == 2)
        await append(log, address("a"))
        await until(lambda: one.news and two.news)
        assert not other.news
        waiting.cancel_scope.cancel()

    assert watch._waiters == {}


async def test_places_further_on_in_a_stream_are_waited_for_by_themselves() -> None:
    log = MemoryLog()
    watch = StreamWatch(log)
    known = await append(log, address("a"))
    behind, up_to_date = Told(watch, {address("a"): START}), Told(watch, {address("a"): known})
    async with running(watch), anyio.create_task_group() as waiting:
        waiting.start_soon(up_to_date)
        waiting.start_soon(behind)
        await until(lambda: behind.news)
        assert not up_to_date.news
        await append(log, address("a"))
        await until(lambda: up_to_date.news)


async def test_one_who_comes_while_another_is_being_told_is_told_too() -> None:
    log = MemoryLog()
    watch = StreamWatch(log)
    async with running(watch), anyio.create_task_group() as waiting:
        for turn in range(50):
            task = address(f"t{turn}")
            first, second = Told(watch, {task: START}), Told(watch, {task: START})
            waiting.start_soon(first)
            await append(log, task)
            for _ in range(turn % 10):
                await anyio.lowlevel.checkpoint()
            waiting.start_soon(second)
            await until(lambda first=first, second=second: first.news and second.news)  # type: ignore[misc]


async def test_a_request_waits_for_sixty_four_streams() -> None:
    log = WaitedLog()
    watch = StreamWatch(log)
    tasks = [address(f"t{number}") for number in range(200)]
    waiters = [Told(watch, {task: START}) for task in tasks]
    async with running(watch), anyio.create_task_group() as waiting:
        for told in waiters:
            waiting.start_soon(told)
        await until(lambda: sum(log.waiting) == 200)
        assert len(log.waiting) == 4
        for number in (0, 70, 199):
            await append(log, tasks[number])
            await until(lambda number=number: waiters[number].news)  # type: ignore[misc]
        assert [number for number, told in enumerate(waiters) if told.news] == [0, 70, 199]
        await until(lambda: sum(log.waiting) == 197)
        waiting.cancel_scope.cancel()

    assert log.most_waiting <= 4
    assert max(log.waiting, default=0) <= STREAMS_A_GROUP


async def test_nobody_asks_while_nobody_waits() -> None:
    log = WaitedLog()
    watch = StreamWatch(log)
    async with running(watch):
        told = Told(watch, {address("a"): START})
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(told)
            await append(log, address("a"))
        asked = log.asked
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert (log.asked, watch._groups, watch._unasked) == (asked, 0, {})


async def test_when_the_store_is_back_everybody_looks_again() -> None:
    log = FaultyLog()
    changes: list[bool] = []
    watch = StreamWatch(log, on_change=lambda: changes.append(watch.is_store_up))
    waiters = [Told(watch, {address(name): START}) for name in ("a", "b")]
    async with running(watch), anyio.create_task_group() as waiting:
        log.unreadable = True
        for told in waiters:
            waiting.start_soon(told)
        await until(lambda: changes == [False])
        log.unreadable = False
        await until(lambda: all(told.news for told in waiters))

    assert changes == [False, True]
