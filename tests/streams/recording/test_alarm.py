"""The flusher's bell."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from streams.recording_steps import ObservedClock

from relayna.clock import FrozenClock
from relayna.streams.recording.alarm import Alarm

pytestmark = pytest.mark.anyio


async def test_it_wakes_whoever_waits_and_keeps_awake_until_silenced() -> None:
    alarm = Alarm(FrozenClock())
    async with anyio.create_task_group() as group:
        group.start_soon(alarm.wait)
        await anyio.lowlevel.checkpoint()
        alarm.ring()
    await alarm.wait()
    alarm.silence()
    with anyio.move_on_after(0) as unheard:
        await alarm.wait()
    assert unheard.cancelled_caught


async def test_any_thread_may_ring() -> None:
    alarm = Alarm(FrozenClock())
    await anyio.to_thread.run_sync(alarm.ring)
    with anyio.fail_after(10):
        await alarm.wait()


async def test_a_wait_ends_with_its_time_or_with_the_bell() -> None:
    clock = ObservedClock()
    alarm = Alarm(clock)
    async with anyio.create_task_group() as group:
        group.start_soon(alarm.wait_at_most, 5)
        await clock.until_asked_for(5)
        clock.advance(5)
    async with anyio.create_task_group() as group:
        group.start_soon(alarm.wait_at_most, 5)
        await clock.until_asked_for(5)
        alarm.ring()


async def test_a_time_that_was_not_waited_for_to_its_end_wakes_nobody_later() -> None:
    clock = ObservedClock()
    alarm = Alarm(clock)
    async with anyio.create_task_group() as group:
        group.start_soon(alarm.wait_at_most, 5)
        await clock.until_asked_for(5)
        alarm.ring()
    alarm.silence()
    waiting = asyncio.create_task(alarm.wait())
    clock.advance(5)
    await anyio.wait_all_tasks_blocked()
    assert not waiting.done()
    alarm.ring()
    await waiting


def test_ringing_where_nobody_is_left_is_harmless() -> None:
    async def make() -> Alarm:
        return Alarm(FrozenClock())

    loop = asyncio.new_event_loop()
    alarm = loop.run_until_complete(make())
    loop.close()
    alarm.ring()
    asyncio.run(_ring_elsewhere(alarm))


async def _ring_elsewhere(alarm: Alarm) -> None:
    await anyio.to_thread.run_sync(alarm.ring)
