"""The sink that rings: whoever waits is woken, from whichever thread something is recorded."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

from relayna.events import Envelope, Event, StatusPublished
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.streams import Durability, MemoryLog, Recorder
from relayna.testing.watched_sink import WatchedSink

pytestmark = pytest.mark.anyio


def event(task_id: str) -> Event:
    envelope = Envelope(event_id=EventId(f"{task_id}.status"), timestamp=Instant(0), task_id=TaskId(task_id))
    return Event(envelope=envelope, body=StatusPublished(status="sent"))


async def test_it_rings_for_each_who_waits() -> None:
    async with WatchedSink(Recorder(MemoryLog())) as sink:
        first = sink.news
        sink.record(event("T"))
        with anyio.fail_after(10):
            await first.wait()
        assert sink.news is not first
        assert await sink.durable() is Durability.STORED
        assert len(await sink.read(TaskId("T"))) == 1
    assert list(sink.task_ids) == ["T"]


async def test_it_rings_from_other_threads() -> None:
    async with WatchedSink(Recorder(MemoryLog())) as sink:
        news = sink.news
        await anyio.to_thread.run_sync(sink.record, event("T"))
        with anyio.fail_after(10):
            await news.wait()


async def test_a_closed_one_has_stored_everything() -> None:
    async with WatchedSink(Recorder(MemoryLog())) as sink:
        sink.record(event("T"))
    await sink.flushed()
    assert len(await sink.read(TaskId("T"))) == 1


def test_when_the_loop_is_gone_it_rings_for_nobody() -> None:
    async def entered() -> WatchedSink:
        async with WatchedSink(Recorder(MemoryLog())) as sink:
            return sink

    sink = anyio.run(entered)
    sink.record(event("T"))
    assert list(sink.task_ids) == ["T"]
