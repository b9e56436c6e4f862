"""Laws of the way into the log: whatever is not answered, each event is there once."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams.faulty_log import FaultyLog
from streams.log_harness import address
from streams.recording_steps import make_recorder, sampled

from relayna.events import decode_frame
from relayna.streams.log import StreamRange
from relayna.streams.recording.recorder import Recorder

pytestmark = pytest.mark.anyio

WORDS = st.sampled_from(["stored", "lost", "vanished", "refused"])


async def all_stored(recorder: Recorder) -> None:
    with anyio.fail_after(30):
        while recorder.buffered_events:
            await recorder.durable(budget_seconds=1)
            await anyio.lowlevel.checkpoint()


async def stored_events(log: FaultyLog, task: str) -> list[int]:
    """Their numbers in the order of the log, repeats included."""
    (page,) = await log.log.read([StreamRange(address=address(task))])
    return [
        event.envelope.seq or 0
        for entry in page.entries
        for event in decode_frame(
            entry.payload, task_id=page.address.task_id, stream_id=entry.stream_id
        ).events
    ]


@given(
    tasks=st.lists(st.sampled_from("abc"), min_size=1, max_size=30),
    outcomes=st.lists(WORDS, max_size=60),
    broken_reads=st.integers(0, 5),
    frame_events=st.integers(1, 4),
    pauses=st.sets(st.integers(0, 29)),
)
async def test_each_event_is_in_the_log_once_and_in_order(
    tasks: list[str], outcomes: list[str], broken_reads: int, frame_events: int, pauses: set[int]
) -> None:
    log = FaultyLog()
    log.outcomes, log.broken_reads = list(outcomes), broken_reads
    async with make_recorder(log, flush_events=frame_events) as recorder:
        for seq, task in enumerate(tasks):
            recorder.record(sampled(seq, task=task))
            if seq in pauses:
                await recorder.durable(budget_seconds=0)
                await anyio.lowlevel.checkpoint()
        await all_stored(recorder)
    told = {task: [seq for seq, own in enumerate(tasks) if own == task] for task in "abc"}
    assert {task: await stored_events(log, task) for task in "abc"} == told


async def test_a_frame_that_was_carried_out_counts_as_stored_without_another_append() -> None:
    log = FaultyLog()
    log.lost_replies = 1
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0))
        await all_stored(recorder)
    assert log.calls == [["order"]]
    assert await stored_events(log, "order") == [0]


async def test_a_frame_that_cannot_be_looked_for_is_not_offered_again() -> None:
    log = FaultyLog()
    log.lost_replies, log.unreadable = 1, True
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0))
        await recorder.durable(budget_seconds=0)
        with anyio.fail_after(10):
            while log.reads < 5:
                await anyio.lowlevel.checkpoint()
        assert log.calls == [["order"]]
        assert recorder.buffered_events == 1
        log.unreadable = False
        await all_stored(recorder)
    assert await stored_events(log, "order") == [0]


async def test_others_go_on_while_one_frame_is_in_doubt() -> None:
    log = FaultyLog()
    log.outcomes = ["lost"]
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0, task="doubtful"))
        await recorder.durable(budget_seconds=0)
        await log.until(lambda: not log.outcomes)
        log.unreachable_tasks = {"doubtful"}
        recorder.record(sampled(0, task="other"))
        with anyio.fail_after(10):
            while recorder.buffered_events > 1:
                await recorder.durable(budget_seconds=0)
                await anyio.lowlevel.checkpoint()
        assert await stored_events(log, "other") == [0]
        log.unreachable_tasks = set()
        await all_stored(recorder)
    assert Counter(await stored_events(log, "doubtful")) == {0: 1}
