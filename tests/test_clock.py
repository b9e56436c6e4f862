"""Clocks: the machine's goes on, the frozen one moves only when told."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from relayna.clock import FrozenClock, SystemClock
from relayna.instants import Instant, format_instant

pytestmark = pytest.mark.anyio


async def test_the_systems_clock_tells_microseconds_and_never_stands_in_the_past() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0)
    assert clock.now() >= before > 1_767_225_600_000_000


async def test_a_frozen_clock_stands_still_until_it_is_moved() -> None:
    clock = FrozenClock()
    assert format_instant(clock.now()) == "2026-01-01T00:00:00+00:00"
    clock.advance(1.5)
    assert format_instant(clock.now()) == "2026-01-01T00:00:01.500000+00:00"
    assert FrozenClock(Instant(5)).now() == 5


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock = FrozenClock()
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with anyio.create_task_group() as group:
        for name, seconds in (("third", 3), ("first", 1), ("second", 2), ("first too", 1)):
            group.start_soon(sleeper, name, seconds)
        await anyio.wait_all_tasks_blocked()
        clock.advance(0.999)
        await anyio.wait_all_tasks_blocked()
        assert woken == []
        clock.advance(0.001)
        await anyio.wait_all_tasks_blocked()
        assert woken == ["first", "first too"]
        clock.advance(10)
    assert woken == ["first", "first too", "second", "third"]


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_sleep_of_nothing_lets_others_run_and_returns(seconds: float) -> None:
    clock = FrozenClock()
    ran: list[str] = []

    async def other() -> None:
        ran.append("other")

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        await clock.sleep(seconds)
        assert ran == ["other"]


async def test_a_cancelled_sleeper_holds_nobody_up() -> None:
    clock = FrozenClock()
    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep, 1)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    clock.advance(2)
    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep, 1)
        await anyio.wait_all_tasks_blocked()
        clock.advance(1)
