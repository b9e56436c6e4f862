"""For how long streams are kept that a recorder writes: its terminal statuses end a task."""

from __future__ import annotations

import pytest
from streams.log_harness import address, page_of
from streams.recording_steps import said

from relayna.clock import FrozenClock
from relayna.events import StatusPublished, TaskMessageAcked, TaskMessageReceived
from relayna.streams import MemoryLog, Recorder
from relayna.streams.keys import TaskAddress

pytestmark = pytest.mark.anyio

DAY_MS = 86_400_000


async def days_kept(log: MemoryLog, of: TaskAddress) -> float:
    kept = (await page_of(log, of)).state.expires_in_ms
    assert kept is not None
    return kept / DAY_MS


@pytest.mark.parametrize(("status", "days"), [("completed", 7), ("archived", 7), ("waiting", 30)])
async def test_the_end_sets_the_retention_and_an_ack_does_not_open_it_again(status: str, days: int) -> None:
    log = MemoryLog(clock=FrozenClock())
    task = address(said(TaskMessageAcked()).envelope.task_id)
    terminal = {"completed", "archived"}
    async with Recorder(log, terminal_statuses=terminal) as recorder:
        recorder.record(said(TaskMessageReceived(), seq=0))
        await recorder.durable(budget_seconds=10)
        begun = await days_kept(log, task)
        recorder.record(said(StatusPublished(status=status), seq=1))
        await recorder.durable(budget_seconds=10)
        recorder.record(said(TaskMessageAcked(), seq=2))
        await recorder.durable(budget_seconds=10)
        after = await days_kept(log, task)

    assert (begun, after) == (30, days)
