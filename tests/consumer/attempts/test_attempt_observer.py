"""One attempt's voice: numbers, causes, copies in other streams, and silence without a sink."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.faults import NotedSink

from relayna.clock import FrozenClock
from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.events import (
    ChildRegistered,
    DeliveryRepeated,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskPublished,
)
from relayna.ids import AttemptId, EventId, SessionId, TaskId
from relayna.streams import Durability, MemoryLog, Recorder

pytestmark = pytest.mark.anyio

CAUSE = EventId("m.published")
CHILD = TaskId("page")


def observer_of(sink: Any, clock: FrozenClock | None = None) -> AttemptObserver:
    return AttemptObserver(
        sink=sink,
        clock=clock or FrozenClock(),
        attempt_id=AttemptId("a"),
        task_id=TaskId("order"),
        cause=CAUSE,
        parent_task_id=TaskId("cart"),
        session_id=SessionId("s"),
        correlation_id="c",
        producer="p",
        topology_kind="shared_tasks_shared_status",
    )


async def test_events_are_numbered_and_each_is_caused_by_the_one_before() -> None:
    async with Recorder(MemoryLog()) as recorder:
        observer = observer_of(recorder)
        assert observer.next_event_id() == "a.0"
        assert observer.record(TaskMessageReceived()) == "a.0"
        registered = observer.record(ChildRegistered(child_task_id=CHILD))
        observer.record_elsewhere(TaskPublished(), own=registered, task_id=CHILD)
        observer.record_beside(DeliveryRepeated(), event_id=EventId("a.repeated.1"), cause=CAUSE)
        assert observer.next_event_id() == "a.2"
        assert observer.record(TaskMessageAcked()) == "a.2"
        assert await observer.durable() is Durability.STORED
        told = [
            (one.envelope.event_id, one.envelope.seq, one.envelope.cause)
            for one in await recorder.read(TaskId("order"))
        ]
        assert told == [
            ("a.0", 0, CAUSE),
            ("a.1", 1, "a.0"),
            ("a.repeated.1", None, CAUSE),
            ("a.2", 2, "a.1"),
        ]
        [copy] = [one.envelope for one in await recorder.read(CHILD)]
        assert (copy.event_id, copy.seq, copy.attempt_id) == ("a.1@page", None, None)
        assert (copy.parent_task_id, copy.session_id, copy.correlation_id) == ("order", "s", "c")


async def test_without_a_sink_nothing_is_said_and_nothing_is_linked() -> None:
    observer = observer_of(None)
    assert observer.record(TaskMessageReceived()) is None
    assert observer.next_event_id() is None
    observer.record_elsewhere(TaskPublished(), own=None, task_id=CHILD)
    observer.record_beside(DeliveryRepeated(), event_id=EventId("a.repeated.1"), cause=None)
    assert await observer.durable() is Durability.STORED
    observer.make_visible()


async def test_a_sink_that_is_closed_fails_nobody() -> None:
    recorder = Recorder(MemoryLog())
    async with recorder:
        observer = observer_of(NotedSink(recorder))
    observer.make_visible()
    assert await observer.durable() is Durability.LOST


async def test_what_is_made_visible_is_not_waited_for() -> None:
    async with Recorder(MemoryLog()) as recorder:
        sink = NotedSink(recorder)
        observer_of(sink).make_visible()
        assert sink.notes == []


async def test_a_promised_event_carries_the_time_of_the_promise() -> None:
    """A message names its cause before the confirm; a quick consumer must not seem to be earlier than it."""
    clock = FrozenClock()
    async with Recorder(MemoryLog()) as recorder:
        observer = observer_of(recorder, clock)
        promised_at, promised = clock.now(), observer.next_event_id()
        clock.advance(5)
        assert observer.record(TaskMessageReceived()) == promised
        observer.record(TaskMessageAcked())
        await observer.durable()
        times = [one.envelope.timestamp for one in await recorder.read(TaskId("order"))]
        assert times == [promised_at, clock.now()]
