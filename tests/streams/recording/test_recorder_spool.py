"""The recorder with a spool: what the store does not take waits on disk, in order, and comes back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from streams.faulty_log import FaultyLog
from streams.recording_steps import (
    CountedSignals,
    event_ids,
    make_recorder,
    said,
    sampled,
    segments_in,
    seqs,
    status,
    until,
    until_stored,
)

from relayna.errors import StoreUnreachable
from relayna.events import EventsLost, TaskMessageAcked
from relayna.ids import TaskId
from relayna.streams.log import Append
from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.recorder import Recorder
from relayna.streams.sink import Durability
from relayna.streams.spool import Spool, SpoolResult

pytestmark = pytest.mark.anyio


def spooled_recorder(log: FaultyLog, directory: Path, **arguments: Any) -> Recorder:
    return make_recorder(log, spool=Spool(directory), **arguments)


async def test_a_dead_store_makes_durable_answer_spooled_and_nothing_is_held(tmp_path: Path) -> None:
    log = FaultyLog()
    log.unreachable = True
    async with spooled_recorder(log, tmp_path) as recorder:
        for seq in range(5):
            recorder.record(sampled(seq))
        assert await recorder.durable(budget_seconds=10) is Durability.SPOOLED
        assert recorder.buffered_events == 0
        log.unreachable = False
        await until_stored(recorder)
        assert await seqs(log) == list(range(5))
    assert segments_in(tmp_path) == []


async def test_durable_leaves_the_log_half_of_its_budget_and_the_disk_the_rest(tmp_path: Path) -> None:
    log = FaultyLog()
    async with spooled_recorder(log, tmp_path) as recorder:
        log.freeze()
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=4) is Durability.SPOOLED
        recorder.record(sampled(1))
        assert await recorder.durable(budget_seconds=30) is Durability.SPOOLED
        log.thaw()
        await until_stored(recorder)
        assert list(dict.fromkeys(await seqs(log))) == [0, 1]
        assert [event.envelope.seq for event in await recorder.read(TaskId("order"))] == [0, 1]


async def test_what_comes_later_stays_behind_what_waits_on_disk(tmp_path: Path) -> None:
    log = FaultyLog()
    async with spooled_recorder(log, tmp_path, flush_events=3) as recorder:
        for seq in range(60):
            log.unreachable = seq % 20 < 10
            recorder.record(sampled(seq))
            assert await recorder.durable(budget_seconds=10) is not Durability.PENDING
        log.unreachable = False
        await until_stored(recorder)
        assert list(dict.fromkeys(await seqs(log))) == list(range(60))


async def test_an_answer_that_was_lost_leaves_each_event_once_for_readers(tmp_path: Path) -> None:
    log = FaultyLog()
    log.outcomes = ["lost"]
    log.unreachable = True
    async with spooled_recorder(log, tmp_path) as recorder:
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=10) is not Durability.PENDING
        log.unreachable = False
        await until_stored(recorder)
        assert [event.envelope.seq for event in await recorder.read(TaskId("order"))] == [0]


async def test_a_log_that_never_opens_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dead = FaultyLog()
    dead.opening_errors = [StoreUnreachable("memory", "down")] * 1_000_000
    async with spooled_recorder(dead, tmp_path, close_deadline=0.05) as recorder:
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=10) is Durability.SPOOLED
        recorder.record(said(TaskMessageAcked(), seq=1))
    log = FaultyLog(dead.log)
    async with spooled_recorder(log, tmp_path):
        await until(lambda: not segments_in(tmp_path))
    assert await seqs(log) == [0, 1]
    assert "event_not_stored" not in caplog.text


async def test_nobody_waits_for_a_log_that_did_not_open_when_there_is_a_disk(tmp_path: Path) -> None:
    dead = FaultyLog()
    dead.opening_errors = [StoreUnreachable("memory", "down")] * 1_000_000
    never_again = Backoff(draw=lambda: 1.0, first_seconds=60, reconnect_seconds=0)
    async with spooled_recorder(dead, tmp_path, backoff=never_again, close_deadline=0.05) as recorder:
        recorder.record(sampled(0))
        with anyio.fail_after(20):
            assert await recorder.durable(budget_seconds=600) is Durability.SPOOLED


async def test_what_is_held_at_the_end_goes_to_disk_and_not_to_the_programs_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = FaultyLog()
    async with spooled_recorder(log, tmp_path, close_deadline=0.05) as recorder:
        log.freeze()
        for seq in range(3):
            recorder.record(sampled(seq))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: len(log.calls) > 0)
        recorder.record(sampled(3))
    log.thaw()
    assert await seqs(log) == []
    async with spooled_recorder(log, tmp_path):
        await until(lambda: not segments_in(tmp_path))
    assert list(dict.fromkeys(await seqs(log))) == [0, 1, 2, 3]
    assert "event_not_stored" not in caplog.text


class SlowDisk(Spool):
    """A spool on a disk that is busy with other things."""

    def put(self, appends: Sequence[Append]) -> SpoolResult:
        time.sleep(0.2)
        return super().put(appends)


async def test_a_disk_that_is_slower_than_the_last_flush_loses_nothing_and_is_left_to_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = FaultyLog()
    log.unreachable = True
    async with make_recorder(log, spool=SlowDisk(tmp_path), close_deadline=0.01) as recorder:
        recorder.record(sampled(0))
    log.unreachable = False
    async with spooled_recorder(log, tmp_path):
        await until(lambda: not segments_in(tmp_path))
    assert await seqs(log) == [0]
    assert "event_not_stored" not in caplog.text


async def test_what_crowds_the_bounds_goes_to_disk_instead_of_being_shed(tmp_path: Path) -> None:
    log, signals = FaultyLog(), CountedSignals()
    async with spooled_recorder(log, tmp_path, max_events=20, counters=signals) as recorder:
        log.freeze()
        for seq in range(400):
            recorder.record(sampled(seq))
            await recorder.durable(budget_seconds=0)
            await until(lambda: recorder.buffered_events <= 15)
        log.thaw()
        await until_stored(recorder)
        assert list(dict.fromkeys(await seqs(log))) == list(range(400))
    assert signals["relayna_records_dropped_total{reason=buffer_full}"] == 0


async def test_a_full_spool_leaves_things_as_without_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = FaultyLog()
    log.unreachable = True
    spool = Spool(tmp_path, max_bytes=64, segment_bytes=64)
    async with make_recorder(log, spool=spool, max_events=2) as recorder:
        for seq in range(3):
            recorder.record(sampled(seq))
        recorder.record(status("completed"))
        assert await recorder.durable(budget_seconds=0.5) is not Durability.SPOOLED
        await until(lambda: "is full" in caplog.text or "more were offered" in caplog.text)
        log.unreachable = False
        await until(lambda: recorder.buffered_events == 0)
        await until_stored(recorder)
        read = await recorder.read(TaskId("order"))
    assert [event.envelope.seq for event in read] == [0, 1, None, None]
    assert read[-1].body == EventsLost(seq_ranges=((2, 2),), count=1, reason="buffer_full")


async def test_a_refused_task_of_the_spool_is_given_up_and_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = FaultyLog()
    log.unreachable = True
    async with spooled_recorder(log, tmp_path, refusal_limit=3) as recorder:
        recorder.record(sampled(0, task="poisoned"))
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=10) is Durability.SPOOLED
        log.refused = {"poisoned"}
        log.unreachable = False
        seq = 1
        while "event_not_stored" not in caplog.text:
            recorder.record(sampled(seq))
            await recorder.durable(budget_seconds=0)
            seq += 1
            await anyio.lowlevel.checkpoint()
        log.refused.clear()
        await until_stored(recorder)
        await log.until(lambda: recorder.buffered_events == 0)
        assert await seqs(log) == list(range(seq))
        [confession] = await recorder.read(TaskId("poisoned"))
    assert confession.body == EventsLost(seq_ranges=((0, 0),), count=1, reason="refused")


async def test_a_directory_is_shared_by_tenants(tmp_path: Path) -> None:
    log = FaultyLog()
    log.unreachable = True
    async with spooled_recorder(log, tmp_path, tenant="a", close_deadline=0.05) as recorder:
        recorder.record(sampled(0))
        recorder.record(said(TaskMessageAcked(), task="other", seq=1))
        assert await recorder.durable(budget_seconds=10) is Durability.SPOOLED
    log.unreachable = False
    async with spooled_recorder(log, tmp_path, tenant="b"):
        await until(lambda: not segments_in(tmp_path))
    assert (await seqs(log, tenant="a"), await seqs(log, "other", "a")) == ([0], [1])
    assert await seqs(log, tenant="b") == []


async def test_an_ended_task_drained_late_is_kept_no_longer_than_an_ended_one(tmp_path: Path) -> None:
    log = FaultyLog()
    log.unreachable = True
    async with spooled_recorder(log, tmp_path) as recorder:
        recorder.record(status("processing"))
        assert await recorder.durable(budget_seconds=10) is Durability.SPOOLED
        recorder.record(status("completed"))
        assert await recorder.durable(budget_seconds=10) is Durability.SPOOLED
        spool = Spool(tmp_path)
        assert spool.drain() is None  # its producer lives
        log.unreachable = False
        await until_stored(recorder)
        assert await event_ids(recorder) == ["order.processing", "order.completed"]
