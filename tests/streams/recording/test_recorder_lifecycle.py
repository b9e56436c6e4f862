"""Opening and closing the recorder: several users, deadlines, cancellation, forked children."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap

import anyio
import pytest
from streams.faulty_log import FaultyLog
from streams.recording_steps import event_ids, make_recorder, sampled, status

from relayna.errors import RecorderClosed, ShardCountMismatch, StoreUnreachable
from relayna.events import EventsLost
from relayna.ids import TaskId
from relayna.streams.memory import MemoryLog
from relayna.streams.recording.backoff import Backoff
from relayna.streams.sink import Durability

pytestmark = pytest.mark.anyio


async def test_the_last_to_leave_flushes_and_closes() -> None:
    log = FaultyLog()
    recorder = make_recorder(log)
    async with recorder:
        async with recorder:
            recorder.record(sampled(0))
            assert log.open == 1
        assert (log.open, log.calls) == (1, [])
        assert await recorder.durable() is Durability.STORED
        recorder.record(sampled(1))
    assert (log.open, len(await event_ids(recorder))) == (0, 2)


async def test_users_may_come_and_go_in_any_order_from_any_task() -> None:
    log = FaultyLog()
    recorder = make_recorder(log)
    first_left, second_came = anyio.Event(), anyio.Event()

    async def first() -> None:
        async with recorder:
            await second_came.wait()
        first_left.set()

    async def second() -> None:
        async with recorder:
            second_came.set()
            await first_left.wait()
            recorder.record(sampled(0))
            assert await recorder.durable() is Durability.STORED

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        group.start_soon(second)
    assert log.open == 0


async def test_what_is_recorded_before_it_is_open_is_held() -> None:
    recorder = make_recorder(MemoryLog())
    recorder.record(sampled(0))
    async with recorder:
        assert await recorder.durable() is Durability.STORED
        assert len(await event_ids(recorder)) == 1


async def test_what_comes_after_the_end_is_held_and_said(caplog: pytest.LogCaptureFixture) -> None:
    recorder = make_recorder(MemoryLog())
    async with recorder:
        pass
    recorder.record(sampled(0))
    recorder.record(sampled(1))
    assert len(caplog.records) == 1
    assert "held until it is entered again" in caplog.text
    async with recorder:
        assert await recorder.durable() is Durability.STORED
        assert len(await event_ids(recorder)) == 2


async def test_a_closing_with_a_frozen_store_ends_at_its_deadline(caplog: pytest.LogCaptureFixture) -> None:
    log = FaultyLog()
    recorder = make_recorder(log, close_deadline=0.01, max_events=3)
    with anyio.fail_after(10):
        async with recorder:
            log.freeze()
            recorder.record(sampled(0))
            await recorder.durable(budget_seconds=0)
            await log.until(lambda: len(log.calls) == 1)
            for seq in range(1, 4):
                recorder.record(sampled(seq))
            recorder.record(status("completed"))
    lines = [json.loads(record.message) for record in caplog.records]
    assert [line["event"]["event_type"] for line in lines] == [
        "EventsLost",
        *["TaskResourceSampled"] * 3,
        "StatusPublished",
    ]
    assert {line["reason"] for line in lines} == {"closed"}
    assert (recorder.buffered_events, recorder.buffered_bytes, log.open) == (0, 0, 0)


async def test_what_a_closing_gave_up_is_confessed_when_it_is_entered_again() -> None:
    log = FaultyLog()
    log.unreachable = True
    recorder = make_recorder(log, close_deadline=0.01)
    async with recorder:
        recorder.record(sampled(0))
    log.unreachable = False
    async with recorder:
        assert await recorder.durable() is Durability.LOST
        [confession] = await recorder.read(TaskId("order"))
    assert confession.body == EventsLost(seq_ranges=((0, 0),), count=1, reason="closed")


async def test_a_closing_tries_again_until_its_deadline() -> None:
    log = FaultyLog()
    async with make_recorder(log, close_deadline=60) as recorder:
        log.unreachable = True
        recorder.record(sampled(0))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: len(log.calls) > 3)

        async def mend() -> None:
            tries = len(log.calls)
            await log.until(lambda: len(log.calls) > tries + 1)
            log.unreachable = False

        mending = asyncio.create_task(mend())
    await mending
    assert len(await event_ids(recorder)) == 1


async def test_one_who_is_cancelled_while_leaving_still_leaves_it_flushed_and_closed() -> None:
    log = FaultyLog()
    recorder = make_recorder(log)

    async def use() -> None:
        async with recorder:
            log.freeze()
            recorder.record(sampled(0))

    user = asyncio.create_task(use())
    await log.until(lambda: len(log.calls) == 1)
    user.cancel()
    with pytest.raises(asyncio.CancelledError):
        await user
    log.thaw()
    async with recorder:
        assert await recorder.durable() is Durability.STORED
        assert len(await event_ids(recorder)) == 1
    assert log.open == 0


async def test_a_cancelled_scope_does_not_cut_the_last_flush() -> None:
    log = FaultyLog()
    recorder = make_recorder(log)
    with anyio.CancelScope() as scope:
        async with recorder:
            recorder.record(sampled(0))
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    assert len(await event_ids(recorder)) == 1


async def test_who_enters_while_it_closes_waits_for_the_end_and_opens_it_again() -> None:
    log = FaultyLog()
    recorder = make_recorder(log)
    async with anyio.create_task_group() as group:
        log.freeze()

        async def first() -> None:
            async with recorder:
                recorder.record(sampled(0))

        async def second() -> None:
            async with recorder:
                assert log.open == 1
                recorder.record(sampled(1))
                assert await recorder.durable(budget_seconds=60) is Durability.STORED

        group.start_soon(first)
        await log.until(lambda: len(log.calls) == 1)
        with pytest.raises(RecorderClosed):
            await recorder.durable()
        group.start_soon(second)
        group.start_soon(second)
        await anyio.lowlevel.checkpoint()
        log.thaw()
    assert (log.open, len(await event_ids(recorder))) == (0, 2)


async def test_a_wrong_layout_is_told_to_whoever_enters_and_costs_nothing() -> None:
    log = FaultyLog()
    log.opening_errors = [ShardCountMismatch("relayna", 4, 64)]
    recorder = make_recorder(log)
    recorder.record(sampled(0))
    with pytest.raises(ShardCountMismatch):
        await recorder.__aenter__()
    with pytest.raises(RecorderClosed):
        await recorder.durable()
    async with recorder:
        assert await recorder.durable() is Durability.STORED
        assert len(await event_ids(recorder)) == 1


async def test_a_store_that_is_down_at_first_is_opened_when_it_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = FaultyLog()
    log.opening_errors = [
        StoreUnreachable("memory", "switched off"),
        ShardCountMismatch("relayna", 4, 64),
        StoreUnreachable("memory", "switched off"),
    ]
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=60) is Durability.STORED
        assert len(await event_ids(recorder)) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "WARNING"]


async def test_a_store_that_never_answers_does_not_keep_anybody(caplog: pytest.LogCaptureFixture) -> None:
    log = FaultyLog()
    log.opening_errors = [StoreUnreachable("memory", "switched off")] * 2
    # The clock stands still, so the wait before a third try has no end.
    recorder = make_recorder(log, close_deadline=0.01, backoff=Backoff(draw=lambda: 1.0))
    with anyio.fail_after(10):
        async with recorder:
            recorder.record(sampled(0))
    assert json.loads(caplog.records[-1].message)["reason"] == "closed"
    assert log.open == 0


def test_a_forked_child_holds_nothing_of_its_parents_and_has_a_name_of_its_own() -> None:
    script = """
        import os
        from relayna.streams import MemoryLog, Recorder
        from streams.recording_steps import sampled

        recorder = Recorder(MemoryLog())
        recorder.record(sampled(0))
        name = recorder.producer
        child = os.fork()
        if not child:
            recorder.record(sampled(1))
            os._exit(0 if recorder.buffered_events == 1 and recorder.producer != name else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert recorder.buffered_events == 1 and recorder.producer == name
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, env={**os.environ, "PYTHONPATH": path}
    )
