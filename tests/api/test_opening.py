"""A log that is kept open for an app: at once, later, or never."""

from __future__ import annotations

import logging

import anyio
import anyio.lowlevel
import pytest
from streams.faulty_log import FaultyLog
from streams.recording_steps import ObservedClock

from relayna.api.opening import open_log
from relayna.errors import ShardCountMismatch, StoreError, StoreRefused, StoreUnreachable
from relayna.streams import Backoff

pytestmark = pytest.mark.anyio

BACKOFF = Backoff(first_seconds=1.0, longest_seconds=4.0, draw=lambda: 1.0)
DOWN = StoreUnreachable("memory", "switched off")


async def until_open(log: FaultyLog) -> None:
    with anyio.fail_after(10):
        while not log.open:
            await anyio.lowlevel.checkpoint()


async def test_it_is_open_inside_and_closed_afterwards() -> None:
    log = FaultyLog()
    async with open_log(log):
        assert log.open == 1
    assert log.open == 0


@pytest.mark.parametrize("error", [DOWN, StoreRefused("HELLO", "LOADING")])
async def test_a_store_that_does_not_answer_is_tried_until_it_does(
    error: StoreError, caplog: pytest.LogCaptureFixture
) -> None:
    log, clock = FaultyLog(), ObservedClock()
    log.opening_errors = [error] * 4
    async with open_log(log, backoff=BACKOFF, clock=clock):
        for seconds in (1.0, 2.0, 4.0, 4.0):
            await clock.until_asked_for(seconds)
            assert log.open == 0
            clock.advance(seconds)
        await until_open(log)
    assert log.open == 0
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING] == [
        f"The log is not open yet, and requests get 503: {error}"
    ]


async def test_an_app_may_end_before_the_store_answers() -> None:
    log, clock = FaultyLog(), ObservedClock()
    log.opening_errors = [DOWN]
    async with open_log(log, backoff=BACKOFF, clock=clock):
        await clock.until_asked_for(1.0)
    assert log.open == 0


async def test_what_will_not_mend_itself_is_raised() -> None:
    log = FaultyLog()
    log.opening_errors = [ShardCountMismatch("relayna", 64, 4)]
    with pytest.raises(ShardCountMismatch):
        async with open_log(log):
            pytest.fail("it must not start")


async def test_what_will_not_mend_itself_later_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    log, clock = FaultyLog(), ObservedClock()
    log.opening_errors = [DOWN, ShardCountMismatch("relayna", 64, 4)]

    def errors() -> list[str]:
        return [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]

    async with open_log(log, backoff=BACKOFF, clock=clock):
        await clock.until_asked_for(1.0)
        clock.advance(1.0)
        with anyio.fail_after(10):
            while not errors():
                await anyio.lowlevel.checkpoint()
    assert "laid out over 64 shards" in errors()[0]
    assert log.open == 0
