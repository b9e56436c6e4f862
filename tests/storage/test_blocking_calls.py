"""Calls that hang: whoever waits for them can go, and only so many threads are left behind."""

from __future__ import annotations

import threading

import anyio
import pytest

from relayna.storage.blocking_calls import MOST_HANGING, BlockingCalls
from relayna.storage.payload_errors import PayloadStorageFailed

pytestmark = pytest.mark.anyio


async def left_behind(calls: BlockingCalls, until: threading.Event) -> None:
    """A call that is under way when its caller goes."""
    begun = anyio.Event()

    def hang() -> None:
        anyio.from_thread.run_sync(begun.set)
        until.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(calls.run, hang)
        await begun.wait()
        group.cancel_scope.cancel()


async def test_a_storage_that_hangs_is_given_up_until_it_answers_again() -> None:
    calls, until = BlockingCalls("s3://inputs"), threading.Event()
    try:
        for _ in range(MOST_HANGING):
            assert await calls.run(lambda: "stored") == "stored"
            await left_behind(calls, until)
        with pytest.raises(PayloadStorageFailed, match=f"{MOST_HANGING} calls"):
            await calls.run(lambda: "stored")
    finally:
        until.set()
    while calls.hanging:
        await anyio.lowlevel.checkpoint()
    assert await calls.run(lambda: "stored") == "stored"


async def test_what_a_call_raises_is_raised_and_leaves_nothing_behind() -> None:
    calls = BlockingCalls("s3://inputs")

    def fail() -> None:
        raise OSError("full")

    for _ in range(MOST_HANGING + 1):
        with pytest.raises(OSError, match="full"):
            await calls.run(fail)
    assert calls.hanging == 0
