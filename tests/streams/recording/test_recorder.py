"""The recorder on a log that works: what is stored, when, and what is promised."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import anyio
import pytest
from events.event_strategies import events, odd_values
from hypothesis import given
from hypothesis import strategies as st
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

from relayna.errors import InvalidSetting, RecorderClosed
from relayna.events import (
    ChildFinished,
    ChildRegistered,
    ConsumerDeadLetterPublished,
    Envelope,
    Event,
    EventsLost,
    Opaque,
    StatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    redact_keys,
)
from relayna.ids import TaskId
from relayna.streams.keys import TaskAddress
from relayna.streams.memory import MemoryLog
from relayna.streams.recording.recorder import Recorder
from relayna.streams.replay import replay
from relayna.streams.sink import Durability, ObservationSink

pytestmark = pytest.mark.anyio


async def test_what_is_recorded_is_stored_and_read_back() -> None:
    recorder = make_recorder(MemoryLog())
    received, closed = said(TaskMessageReceived(queue_name="q"), seq=0), said(TaskMessageAcked(), seq=1)
    async with recorder:
        recorder.record(received)
        recorder.record(closed)
        assert recorder.buffered_events == 2
        assert recorder.buffered_bytes > 0
        assert await recorder.durable() is Durability.STORED
        assert (recorder.buffered_events, recorder.buffered_bytes) == (0, 0)
        read = await recorder.read(TaskId("order"))
    assert [(event.envelope, event.body) for event in read] == [
        (received.envelope, received.body),
        (closed.envelope, closed.body),
    ]
    assert {event.first_append_ms for event in read} == {NOW // 1000}


async def test_it_is_an_observation_sink() -> None:
    sink: ObservationSink = make_recorder(MemoryLog())
    async with sink:
        assert await sink.durable() is Durability.STORED
        assert list(await sink.read(TaskId("nobody"))) == []


async def test_one_flush_is_one_append_with_a_frame_a_task() -> None:
    log = FaultyLog()
    async with make_recorder(log) as recorder:
        for seq in range(3):
            for task in ("a", "b"):
                recorder.record(sampled(seq, task=task))
        await recorder.durable()
        assert log.calls == [["a", "b"]]
        [a] = await replay(log, [TaskAddress(TaskId("a"))])
    assert [(event.envelope.seq, event.index) for event in a.events] == [(0, 0), (1, 1), (2, 2)]


async def test_the_topology_kind_travels_with_the_frame() -> None:
    async with make_recorder(MemoryLog()) as recorder:
        recorder.record(sampled(0))
        recorder.record(sampled(1), topology_kind="routed_tasks_shared_status")
        recorder.record(sampled(2), topology_kind="shared_tasks_shared_status")
        await recorder.durable()
        [order] = await replay(recorder._log, [TaskAddress(TaskId("order"))])
    assert [fact.value for fact in order.facts] == [
        "routed_tasks_shared_status",
        "shared_tasks_shared_status",
    ]
    assert [event.envelope.seq for event in order.events] == [0, 1, 2]


async def test_a_tenant_has_streams_of_its_own() -> None:
    log = MemoryLog()
    async with make_recorder(log, tenant="acme") as acme, make_recorder(log) as default:
        acme.record(sampled(0))
        await acme.durable()
        assert len(await event_ids(acme)) == 1
        assert await event_ids(default) == []


def test_a_tenant_that_cannot_be_in_a_key_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="tenant"):
        Recorder(MemoryLog(), tenant="a~b")


@pytest.mark.parametrize("limits", [{"flush_events": 5}, {"flush_bytes": 300}], ids=["events", "bytes"])
async def test_a_full_batch_is_flushed_unasked(limits: dict[str, int]) -> None:
    log = FaultyLog()
    async with make_recorder(log, **limits) as recorder:
        for seq in range(5):
            recorder.record(sampled(seq))
        await log.until(lambda: recorder.buffered_events == 0)
        assert len(await event_ids(recorder)) == 5


async def test_a_small_batch_waits_for_the_interval() -> None:
    clock, log = ObservedClock(), FaultyLog()
    async with make_recorder(log, clock=clock) as recorder:
        recorder.record(sampled(0))
        await clock.until_asked_for(0.02)
        recorder.record(sampled(1))
        assert log.calls == []
        clock.advance(0.02)
        await log.until(lambda: recorder.buffered_events == 0)
    assert log.calls == [["order"]]


async def test_a_promise_joins_a_flush_only_if_it_covers_what_was_recorded() -> None:
    log = FaultyLog()
    async with make_recorder(log) as recorder, anyio.create_task_group() as group:
        log.freeze()
        recorder.record(sampled(0))
        group.start_soon(recorder.durable)
        await log.until(lambda: len(log.calls) == 1)
        recorder.record(sampled(1))
        log.thaw()
        assert await recorder.durable(budget_seconds=60) is Durability.STORED
        assert len(log.calls) == 2
        assert len(await event_ids(recorder)) == 2


async def test_a_promise_is_kept_waiting_no_longer_than_its_budget() -> None:
    log = FaultyLog()
    async with make_recorder(log) as recorder:
        log.freeze()
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=0) is Durability.PENDING
        assert await recorder.durable(budget_seconds=0.001) is Durability.PENDING
        log.thaw()
        assert await recorder.durable(budget_seconds=60) is Durability.STORED


async def test_a_promise_with_nothing_to_store_does_not_touch_the_log() -> None:
    log = FaultyLog()
    async with make_recorder(log) as recorder:
        assert await recorder.durable() is Durability.STORED
    assert log.calls == []


async def test_no_promise_is_given_while_it_is_closed() -> None:
    recorder = make_recorder(MemoryLog())
    with pytest.raises(RecorderClosed):
        await recorder.durable()
    async with recorder:
        pass
    with pytest.raises(RecorderClosed):
        await recorder.durable()


async def test_a_child_is_registered_once_and_its_end_is_told() -> None:
    async with make_recorder(MemoryLog()) as recorder:
        for seq in range(3):
            recorder.record(sampled(seq, task="child", parent_task_id=TaskId("parent")))
        recorder.record(status("completed", task="child", parent_task_id=TaskId("parent")))
        await recorder.durable()
        parent = await recorder.read(TaskId("parent"))
        assert len(await event_ids(recorder, "child")) == 4
    assert [event.body for event in parent] == [
        ChildRegistered(child_task_id=TaskId("child")),
        ChildFinished(child_task_id=TaskId("child"), status="completed"),
    ]
    assert parent[0].envelope.producer == recorder.producer


async def test_a_child_that_its_parent_registered_is_not_registered_again() -> None:
    async with make_recorder(MemoryLog()) as recorder:
        recorder.record(said(ChildRegistered(child_task_id=TaskId("child")), task="parent", seq=1))
        recorder.record(
            said(ConsumerDeadLetterPublished(), task="child", seq=3, parent_task_id=TaskId("parent"))
        )
        await recorder.durable()
        parent = await recorder.read(TaskId("parent"))
    assert [type(event.body) for event in parent] == [ChildRegistered, ChildFinished]


async def test_secrets_are_hidden_before_they_are_held() -> None:
    async with make_recorder(MemoryLog(), redact=redact_keys(["token"])) as recorder:
        recorder.record(said(StatusPublished(status="new", meta={"token": "t0p"})))
        await recorder.durable()
        [event] = await recorder.read(TaskId("order"))
    assert isinstance(event.body, StatusPublished)
    assert event.body.meta == {"token": "[redacted]"}


async def test_stored_events_are_counted_by_their_source() -> None:
    signals = CountedSignals()
    async with make_recorder(MemoryLog(), counters=signals) as recorder:
        recorder.record(sampled(0))
        recorder.record(sampled(1))
        recorder.record(status("completed"))
        recorder.record(said(ConsumerDeadLetterPublished(), seq=2))
    assert signals["relayna_records_total{outcome=stored,source=observation}"] == 2
    assert signals["relayna_records_total{outcome=stored,source=status}"] == 1
    assert signals["relayna_records_total{outcome=stored,source=dead_letter}"] == 1


async def test_an_event_that_cannot_be_encoded_is_confessed() -> None:
    signals = CountedSignals()
    async with make_recorder(MemoryLog(), counters=signals) as recorder:
        recorder.record(said(Opaque(reason="corrupt"), seq=3))
        assert await recorder.durable() is Durability.LOST
        assert await recorder.durable() is Durability.STORED
        [confession] = await recorder.read(TaskId("order"))
    assert confession.body == EventsLost(seq_ranges=((3, 3),), count=1, reason="unreadable")
    assert confession.envelope.attempt_id == ATTEMPT
    assert confession.envelope.event_id == f"{ATTEMPT}.lost.0"
    assert signals["relayna_records_dropped_total{reason=unreadable}"] == 1


async def test_a_confession_does_not_wait_for_another_event() -> None:
    log = FaultyLog()
    async with make_recorder(log) as recorder:
        recorder.record(said(object()))  # type: ignore[arg-type]
        await log.until(lambda: len(log.calls) == 1)


@pytest.mark.parametrize("nonsense", [None, 7, "event", object(), Event(envelope=None, body=None)])  # type: ignore[arg-type]
async def test_what_is_no_event_is_counted(nonsense: Any) -> None:
    signals = CountedSignals()
    async with make_recorder(MemoryLog(), counters=signals) as recorder:
        recorder.record(nonsense)
        assert await recorder.durable() is Durability.LOST
    assert signals["relayna_records_dropped_total{reason=unreadable}"] == 1


@given(
    event=st.builds(
        Event,
        envelope=st.builds(
            Envelope,
            event_id=odd_values,
            timestamp=odd_values,
            task_id=odd_values | st.text(st.characters()),
            attempt_id=odd_values,
            seq=odd_values,
            cause=odd_values,
            parent_task_id=odd_values,
        ),
        body=st.builds(StatusPublished, status=odd_values, meta=odd_values)
        | st.builds(TaskMessageAcked)
        | odd_values,
    ),
    kind=odd_values,
)
async def test_odd_events_raise_nothing_and_harm_no_others(event: Any, kind: Any) -> None:
    recorder = make_recorder(MemoryLog(), max_events=2)
    async with recorder:
        recorder.record(event, topology_kind=kind)
        recorder.record(event)
        recorder.record(status("completed"))
        with anyio.fail_after(10):
            assert await recorder.durable(budget_seconds=60) is not Durability.PENDING
        assert "order.completed" in await event_ids(recorder)


@given(said_events=st.lists(events, max_size=20))
async def test_every_event_is_read_back_once(said_events: list[Event]) -> None:
    async with make_recorder(MemoryLog()) as recorder:
        for event in said_events:
            recorder.record(event)
        assert await recorder.durable(budget_seconds=60) is Durability.STORED
        read = await event_ids(recorder, "task")
    expected = dict.fromkeys(event.envelope.event_id for event in said_events)
    assert [event_id for event_id in read if event_id in expected] == list(expected)


async def test_an_id_without_bytes_has_a_stream_all_the_same() -> None:
    async with make_recorder(MemoryLog()) as recorder:
        recorder.record(sampled(0, task="\ud800"))
        await recorder.durable()
        assert len(await event_ids(recorder, "\ud800")) == 1


async def test_any_thread_may_record() -> None:
    log = FaultyLog()
    start = threading.Barrier(4)

    def work(task: str) -> None:
        start.wait()
        for seq in range(1_000):
            recorder.record(sampled(seq, task=task))

    async with make_recorder(log, flush_events=100) as recorder:
        async with anyio.create_task_group() as group:
            for worker in range(4):
                group.start_soon(anyio.to_thread.run_sync, work, f"task-{worker}")
        assert await recorder.durable(budget_seconds=60) is Durability.STORED
        for worker in range(4):
            read = await recorder.read(TaskId(f"task-{worker}"))
            assert [event.envelope.seq for event in read] == list(range(1_000))


async def test_a_thread_wakes_the_flusher() -> None:
    log = FaultyLog()
    async with make_recorder(log, flush_events=2) as recorder:
        for seq in range(2):
            await anyio.to_thread.run_sync(recorder.record, sampled(seq))
        await log.until(lambda: recorder.buffered_events == 0)


def test_a_recorder_that_nobody_uses_any_more_is_collected() -> None:
    recorder = make_recorder(MemoryLog())
    gone = weakref.ref(recorder)
    del recorder
    gc.collect()
    assert gone() is None
