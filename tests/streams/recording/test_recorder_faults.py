"""The recorder on a log that fails: nothing is lost in silence, and no task pays for another."""

from __future__ import annotations

import json
import logging

import anyio
import pytest
from streams.faulty_log import FaultyLog
from streams.recording_steps import (
    ATTEMPT,
    NOW,
    CountedSignals,
    ObservedClock,
    event_ids,
    make_recorder,
    said,
    sampled,
    status,
)

from relayna.events import EventsLost, TaskMessageAcked
from relayna.ids import TaskId
from relayna.streams.keys import TaskAddress
from relayna.streams.log import StreamRange
from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.recorder import Recorder
from relayna.streams.replay import replay
from relayna.streams.sink import Durability

pytestmark = pytest.mark.anyio


STORED = "relayna_records_total{outcome=stored,source=observation}"


async def seqs(recorder: Recorder, task: str = "order") -> list[int | None]:
    return [event.envelope.seq for event in await recorder.read(TaskId(task))]


async def test_an_outage_keeps_everything_in_order() -> None:
    log = FaultyLog()
    async with make_recorder(log, flush_events=2) as recorder:
        log.unreachable = True
        for seq in range(10):
            recorder.record(sampled(seq))
        await log.until(lambda: len(log.calls) > 1)
        assert recorder.buffered_events == 10
        log.unreachable = False
        assert await recorder.durable(budget_seconds=60) is not Durability.LOST
        await log.until(lambda: recorder.buffered_events == 0)
        assert await seqs(recorder) == list(range(10))


async def test_a_frame_remembers_when_it_was_first_offered() -> None:
    clock, log = ObservedClock(), FaultyLog()
    log.unreachable = True
    async with make_recorder(log, clock=clock) as recorder:
        recorder.record(sampled(0))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: len(log.calls) > 1)
        clock.advance(60)
        log.unreachable = False
        await log.until(lambda: recorder.buffered_events == 0)
        [event] = await recorder.read(TaskId("order"))
    assert event.first_append_ms == NOW // 1000


async def test_a_lost_reply_repeats_nothing() -> None:
    log = FaultyLog()
    log.lost_replies = 1
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=60) is Durability.STORED
        [stored] = await log.read([StreamRange(address=TaskAddress(TaskId("order")))])
        assert len(stored.entries) == 1
        assert await seqs(recorder) == [0]
        [order] = await replay(log, [TaskAddress(TaskId("order"))])
        assert len(order.events) == 1


async def test_nobody_waits_for_a_store_that_is_known_to_be_down() -> None:
    log = FaultyLog()
    log.unreachable = True
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: len(log.calls) > 3)
        with anyio.fail_after(10):
            assert await recorder.durable(budget_seconds=3_600) is Durability.PENDING
        log.unreachable = False


async def test_tries_are_spaced_by_the_backoff() -> None:
    clock, log = ObservedClock(), FaultyLog()
    log.unreachable = True
    backoff = Backoff(first_seconds=1, longest_seconds=4, draw=lambda: 1.0)
    async with make_recorder(log, clock=clock, backoff=backoff) as recorder:
        recorder.record(sampled(0))
        for tries, wait in enumerate([1, 2, 4, 4], start=1):
            await recorder.durable(budget_seconds=0)  # asks, and hurries nothing
            await log.until(lambda tries=tries: len(log.calls) == tries)  # type: ignore[misc]
            await clock.until_asked_for(wait)
            clock.advance(wait)
        log.unreachable = False
        await log.until(lambda: recorder.buffered_events == 0)


async def test_a_refused_task_is_given_up_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    log, signals = FaultyLog(), CountedSignals()
    log.refused = {"poisoned"}
    async with make_recorder(log, counters=signals, refusal_limit=3) as recorder:
        recorder.record(sampled(0, task="poisoned"))
        recorder.record(said(TaskMessageAcked(), task="poisoned", seq=1))
        seq = 0
        while not signals["relayna_records_dropped_total{reason=refused}"]:
            recorder.record(sampled(seq))
            assert await recorder.durable(budget_seconds=0) is not Durability.STORED
            seq += 1
            await log.until(lambda stored=seq: signals[STORED] == stored)  # type: ignore[misc]
        assert await seqs(recorder) == list(range(seq))
        log.refused.clear()
        assert await recorder.durable(budget_seconds=60) is Durability.LOST
        [confession] = await recorder.read(TaskId("poisoned"))
    assert confession.body == EventsLost(
        seq_ranges=((0, 1),), count=2, reason="refused", outcome="TaskMessageAcked"
    )
    lines = [json.loads(record.message) for record in caplog.records]
    assert [line["event"]["event_id"] for line in lines] == [f"{ATTEMPT}.0", f"{ATTEMPT}.1"]


async def test_nobody_waits_for_a_task_that_is_refused_again_and_again() -> None:
    log = FaultyLog()
    log.refused = {"poisoned"}
    async with make_recorder(log, close_deadline=0.01) as recorder:
        recorder.record(sampled(0, task="poisoned"))
        for seq in range(2):
            recorder.record(sampled(seq))
            await recorder.durable(budget_seconds=0)
            await log.until(lambda: recorder.buffered_events == 1)
        recorder.record(sampled(2))
        with anyio.fail_after(10):
            assert await recorder.durable(budget_seconds=3_600) is Durability.PENDING
        assert await seqs(recorder) == [0, 1, 2]


async def test_a_refused_confession_is_not_confessed_in_turn(caplog: pytest.LogCaptureFixture) -> None:
    log, signals = FaultyLog(), CountedSignals()
    log.refused = {"poisoned"}
    async with make_recorder(log, counters=signals, refusal_limit=1) as recorder:
        recorder.record(sampled(0, task="poisoned"))
        for seq in range(6):
            recorder.record(sampled(seq))
            await recorder.durable(budget_seconds=60)
    assert signals["relayna_records_dropped_total{reason=refused}"] == 2
    kinds = [json.loads(record.message)["event"]["event_type"] for record in caplog.records]
    assert kinds == ["TaskResourceSampled", "EventsLost"]


async def test_a_store_that_refuses_everything_costs_no_task_its_events() -> None:
    log = FaultyLog()
    log.refusing = True
    async with make_recorder(log, refusal_limit=2) as recorder:
        for task in ("a", "b"):
            recorder.record(sampled(0, task=task))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: len(log.calls) > 20)
        log.refusing = False
        await log.until(lambda: recorder.buffered_events == 0)
        assert (await seqs(recorder, "a"), await seqs(recorder, "b")) == ([0], [0])


async def test_a_refusal_without_other_evidence_is_tried_for_ever() -> None:
    log = FaultyLog()
    log.refused = {"order"}
    async with make_recorder(log, refusal_limit=2) as recorder:
        recorder.record(sampled(0))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: len(log.calls) > 20)
        assert recorder.buffered_events == 1
        log.refused.clear()
        await log.until(lambda: recorder.buffered_events == 0)
        assert await seqs(recorder) == [0]


async def test_a_node_that_is_down_holds_up_only_its_own_tasks() -> None:
    log = FaultyLog()
    log.unreachable_tasks = {"far"}
    async with make_recorder(log, refusal_limit=1) as recorder:
        recorder.record(sampled(0, task="far"))
        for seq in range(20):
            recorder.record(sampled(seq))
            recorder.record(sampled(seq + 1, task="far"))
            await recorder.durable(budget_seconds=0)
            await log.until(lambda seq=seq: recorder.buffered_events == seq + 2)  # type: ignore[misc]
        assert await seqs(recorder) == list(range(20))
        log.unreachable_tasks.clear()
        await log.until(lambda: recorder.buffered_events == 0)
        assert await seqs(recorder, "far") == list(range(21))


async def test_a_log_that_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    log = FaultyLog()
    log.raising = ZeroDivisionError("a mistake")
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: len(log.calls) > 2)
        log.raising = None
        await log.until(lambda: recorder.buffered_events == 0)
        assert await seqs(recorder) == [0]
    assert caplog.records[0].message == "The log raised instead of answering"


async def test_observations_are_shed_over_the_bound_and_confessed() -> None:
    log, signals = FaultyLog(), CountedSignals()
    async with make_recorder(log, max_events=5, counters=signals) as recorder:
        log.freeze()
        for seq in range(8):
            recorder.record(sampled(seq))
        recorder.record(status("completed"))
        recorder.record(said(TaskMessageAcked(), seq=8))
        assert recorder.buffered_events == 7
        assert await recorder.durable(budget_seconds=0) is Durability.LOST
        log.thaw()
        assert await recorder.durable(budget_seconds=60) is Durability.STORED
        await log.until(lambda: recorder.buffered_events == 0)
        read = await recorder.read(TaskId("order"))
    assert [event.envelope.seq for event in read] == [0, 1, 2, 3, 4, None, 8, None]
    assert read[-1].body == EventsLost(seq_ranges=((5, 7),), count=3, reason="buffer_full")
    assert signals["relayna_records_dropped_total{reason=buffer_full}"] == 3
    assert signals["relayna_records_total{outcome=dropped,source=observation}"] == 3


async def test_the_bound_is_also_one_of_bytes() -> None:
    recorder = make_recorder(FaultyLog(), max_bytes=1_000)
    for seq in range(100):
        recorder.record(sampled(seq))
    assert 800 < recorder.buffered_bytes <= 1_000
    for seq in range(100):
        recorder.record(status(f"status {seq}"))
    assert 1_800 < recorder.buffered_bytes <= 2_000


async def test_vital_events_past_twice_the_bound_go_to_the_programs_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = make_recorder(FaultyLog(), max_events=2)
    for seq in range(6):
        recorder.record(said(TaskMessageAcked(), seq=seq), topology_kind="routed_tasks_shared_status")
    assert recorder.buffered_events == 4
    lines = [json.loads(record.message) for record in caplog.records]
    assert [line["event"]["seq"] for line in lines] == [4, 5]
    assert lines[0]["reason"] == "buffer_full"
    assert lines[0]["topology_kind"] == "routed_tasks_shared_status"
    assert {record.name for record in caplog.records} == {"relayna.recorder"}
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    async with recorder:
        await recorder.durable(budget_seconds=60)
        await recorder.durable(budget_seconds=60)
        confession = (await recorder.read(TaskId("order")))[-1]
    assert confession.body == EventsLost(
        seq_ranges=((4, 5),), count=2, reason="buffer_full", outcome="TaskMessageAcked"
    )


async def test_everything_recorded_is_stored_or_confessed_whatever_the_log_does() -> None:
    log = FaultyLog()
    async with make_recorder(log, max_events=50, flush_events=10) as recorder:
        for seq in range(1_000):
            if seq % 100 == 0:
                log.unreachable = seq % 200 == 0
                log.lost_replies = seq % 3
            recorder.record(sampled(seq))
            if seq % 10 == 0:
                await recorder.durable(budget_seconds=0)
                await anyio.lowlevel.checkpoint()
        log.unreachable = False
        await log.until(lambda: recorder.buffered_events == 0)
        await recorder.durable(budget_seconds=60)
        read = await recorder.read(TaskId("order"))
    stored = {event.envelope.seq for event in read if event.envelope.seq is not None}
    lost: set[int] = set()
    for event in read:
        if isinstance(event.body, EventsLost):
            for first, last in event.body.seq_ranges:
                lost |= set(range(first, last + 1))
    assert lost
    assert stored | lost == set(range(1_000))
    assert not stored & lost
    assert await event_ids(recorder)
