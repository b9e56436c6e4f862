"""What cannot be read, and what producers say was lost, is told by every answer about runs, messages and traces."""

from __future__ import annotations

import pytest
from observability.read_models.indexed_world import store_events

from relayna.events import Envelope, EventsLost, RecordedEvent
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.observability.lineage_service import LineageService
from relayna.observability.message_service import MessageLineageService
from relayna.observability.message_told import MessagesWanted
from relayna.observability.trace.trace_service import TraceService
from relayna.streams import Append, MemoryLog, TaskAddress
from relayna.testing import history
from relayna.testing.scribe import START

pytestmark = pytest.mark.anyio

ORDER = TaskId("order")


async def missing(log: MemoryLog) -> list[list[str]]:
    """What each kind of answer lacks."""
    messages = await MessageLineageService(log=log).messages(MessagesWanted(session=ORDER))
    return [
        (await LineageService(log=log).session(ORDER)).missing,
        (await LineageService(log=log).why(ORDER)).missing,
        messages.missing,
        (await TraceService(log=log).session(ORDER)).missing,
    ]


async def test_a_record_that_cannot_be_read() -> None:
    log = MemoryLog()
    await store_events(log, history(ORDER).published().attempt().acked().events)
    assert await missing(log) == [[]] * 4
    await log.append([Append(TaskAddress(ORDER), b"\xff no frame")])
    assert await missing(log) == [["corrupt"]] * 4


async def test_events_that_a_producer_has_lost() -> None:
    log = MemoryLog()
    envelope = Envelope(event_id=EventId("lost"), timestamp=Instant(START), task_id=ORDER)
    lost = RecordedEvent(envelope=envelope, body=EventsLost(count=3))
    await store_events(log, [*history(ORDER).published().attempt().acked().events, lost])
    assert await missing(log) == [["reported_loss"]] * 4
