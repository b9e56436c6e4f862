"""What comes back from the spool: whom a refused task may hold up, and whom it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streams.faulty_log import FaultyLog
from streams.recording_steps import (
    ObservedClock,
    make_recorder,
    sampled,
    segments_in,
    seqs,
    until,
    until_stored,
)

from relayna.clock import FrozenClock
from relayna.errors import StoreRefused
from relayna.signals import IgnoredCounters
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.log import NotAppended
from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.buffer import Buffer
from relayna.streams.recording.draining import Draining
from relayna.streams.recording.flush_policy import FlushPolicy
from relayna.streams.recording.held import hold
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.outlet import Outlets
from relayna.streams.recording.pending_frame import frame_of
from relayna.streams.recording.recorder import Recorder
from relayna.streams.sink import Durability
from relayna.streams.spool import Spool, SpoolToken

pytestmark = pytest.mark.anyio

SECONDS_APART = Backoff(draw=lambda: 1.0, first_seconds=1, reconnect_seconds=0)


def recorder_of_many_segments(log: FaultyLog, directory: Path, **arguments: Any) -> Recorder:
    """Each write is a segment of its own."""
    return make_recorder(log, spool=Spool(directory, segment_bytes=1), refusal_limit=1_000_000, **arguments)


async def spool(recorder: Recorder, task: str, seq: int) -> None:
    recorder.record(sampled(seq, task=task))
    assert await recorder.durable(budget_seconds=10) is Durability.SPOOLED


async def leave_in_spool(log: FaultyLog, directory: Path, *tasks: str) -> None:
    """One event of each, in this order."""
    log.unreachable = True
    async with recorder_of_many_segments(log, directory, close_deadline=0.05) as recorder:
        for task in tasks:
            await spool(recorder, task, 0)
    log.unreachable = False


async def test_nothing_overtakes_what_waits_in_segments_behind_a_refused_task(tmp_path: Path) -> None:
    log, clock = FaultyLog(), ObservedClock()
    await leave_in_spool(log, tmp_path, "poisoned", "order", "other")
    log.refused = {"poisoned"}
    async with recorder_of_many_segments(log, tmp_path, clock=clock, backoff=SECONDS_APART) as recorder:
        await clock.until_asked_for(1)  # it is set aside, until the clock moves
        recorder.record(sampled(1))
        recorder.record(sampled(1, task="other"))
        await recorder.durable(budget_seconds=0)
        await until(lambda: recorder.buffered_events == 0)
        log.refused.clear()
        clock.advance(1)
        await until_stored(recorder)
        await until(lambda: not segments_in(tmp_path))
    assert [await seqs(log, task) for task in ("poisoned", "order", "other")] == [[0], [0, 1], [0, 1]]


async def test_a_refused_task_stays_behind_its_own_past_and_others_do_not(tmp_path: Path) -> None:
    log, clock = FaultyLog(), ObservedClock()
    await leave_in_spool(log, tmp_path, "poisoned")
    log.refused = {"poisoned"}
    async with recorder_of_many_segments(log, tmp_path, clock=clock, backoff=SECONDS_APART) as recorder:
        await clock.until_asked_for(1)
        log.refused.clear()
        recorder.record(sampled(1, task="poisoned"))
        recorder.record(sampled(0))
        await recorder.durable(budget_seconds=0)
        await until(lambda: recorder.buffered_events < 2)
        clock.advance(1)
        await until_stored(recorder)
        await until(lambda: not segments_in(tmp_path))
    assert [await seqs(log, task) for task in ("poisoned", "order")] == [[0, 1], [0]]


def test_of_refused_tasks_only_so_much_is_in_hand() -> None:
    outlets = Outlets(
        FaultyLog(), Buffer(max_events=10, max_bytes=10_000), Losses(IgnoredCounters()),
        tenant=DEFAULT_TENANT, producer="p1", clock=FrozenClock(), counters=IgnoredCounters(), policy=FlushPolicy(),
    )  # fmt: skip
    frames = [frame_of(hold(sampled(seq, task="poisoned"), None, None), seq) for seq in range(2)]
    draining = Draining(outlets.for_drained, most_bytes=frames[0].size + 1)
    [first, second] = [SpoolToken("first"), SpoolToken("second")]
    draining.begin(first, [(DEFAULT_TENANT, frames[0])])
    assert (draining.may_take_more, draining.lets_pass) == (False, False)
    [outlet] = draining.outlets
    batch = outlet.lanes.next_batch(now_ms=1, max_events=10, max_bytes=10_000)
    outlet.lanes.settle(batch, [NotAppended(StoreRefused("append", "WRONGTYPE"))])
    assert (draining.may_take_more, draining.lets_pass) == (True, False)
    draining.begin(second, [(DEFAULT_TENANT, frames[1])])
    assert (draining.may_take_more, draining.lets_pass) == (False, True)
    outlet.lanes.remove(frames[:1])
    assert draining.take_done() == [first]
    assert (draining.may_take_more, draining.lets_pass) == (True, False)
    outlet.lanes.remove(frames[1:])
    assert (draining.take_done(), draining.take_done(), draining.is_idle) == ([second], [], True)
