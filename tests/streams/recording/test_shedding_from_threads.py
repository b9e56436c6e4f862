"""What finds no room is told and written down, whichever thread it comes from, and whatever the loop does meanwhile."""

from __future__ import annotations

import logging
import threading

import anyio
import anyio.lowlevel
import pytest
from streams.recording_steps import CountedSignals, said

from relayna.clock import SystemClock
from relayna.events import TaskMessageAcked
from relayna.streams import MemoryLog, Recorder
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.recording.held import HeldEvent, hold
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.shedding import Shedding
from relayna.streams.sink import Durability

pytestmark = pytest.mark.anyio


class HeldUpLosses(Losses):
    """Takes its time to remember what another thread has lost."""

    def __init__(self, told: Told) -> None:
        super().__init__(told)
        self.came = threading.Event()
        self.may_go_on = threading.Event()

    def remember(self, event: HeldEvent, reason: str) -> bool:
        if threading.current_thread() is not threading.main_thread():
            self.came.set()
            assert self.may_go_on.wait(5)
        return super().remember(event, reason)


class Told(CountedSignals):
    """How many losses the counters were told of."""

    losses = 0

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        if name == "relayna_records_dropped_total":
            self.losses += by

    async def of(self, count: int) -> None:
        with anyio.fail_after(5):
            while self.losses < count:
                await anyio.lowlevel.checkpoint()


async def test_what_is_lost_while_another_loss_is_told_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    losses = HeldUpLosses(told := Told())
    shedding = Shedding(losses, DEFAULT_TENANT)
    closing = hold(said(TaskMessageAcked(), seq=1), None, None)
    other = threading.Thread(target=shedding.shed, args=(closing,))
    async with anyio.create_task_group() as beside:
        beside.start_soon(shedding.run, SystemClock())
        await anyio.lowlevel.checkpoint()
        shedding.shed(closing)
        other.start()
        assert losses.came.wait(5)  # before the loop has told of the first
        await told.of(1)
        losses.may_go_on.set()
        await told.of(2)
        other.join()
        beside.cancel_scope.cancel()
    assert len([one for one in caplog.records if one.levelno >= logging.WARNING]) == 2


class FullLog(logging.Handler):
    """Raises, as handlers of a program's own may."""

    def handle(self, record: logging.LogRecord) -> bool:
        raise OSError("no space left")


async def test_a_log_that_takes_no_line_does_not_end_recording() -> None:
    logger = logging.getLogger("relayna.recorder")
    logger.addHandler(handler := FullLog())
    try:
        async with Recorder(MemoryLog(), max_events=10) as recorder:
            for seq in range(100):
                recorder.record(said(TaskMessageAcked(), seq=seq))
            assert await recorder.durable() is Durability.LOST
            recorder.record(said(TaskMessageAcked(), seq=100))
            assert await recorder.durable() is Durability.STORED
    finally:
        logger.removeHandler(handler)
