"""Reading whole streams back: paging, its bound, and what is true of a stream."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from streams.recording_steps import make_recorder, sampled, status

from relayna.events import Event, Opaque, encode_event, encode_frame
from relayna.events.history import StreamFact
from relayna.ids import TaskId
from relayna.streams.keys import TaskAddress
from relayna.streams.log import PAGE_LIMIT, Append, Appended, StreamPage, StreamRange
from relayna.streams.memory import MemoryLog
from relayna.streams.replay import replay

pytestmark = pytest.mark.anyio

ORDER = TaskAddress(TaskId("order"))


class ReadLog(MemoryLog):
    """A memory log that remembers what was read, and may be written to between two pages."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[list[StreamRange]] = []
        self.while_reading: list[Append] = []

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        self.reads.append(list(ranges))
        pages = await super().read(ranges)
        await self.append(self.while_reading)
        return pages


def frame(*events: Event, kind: str | None = None, address: TaskAddress = ORDER) -> Append:
    data = [encode_event(event) for event in events]
    return Append(address, encode_frame(address.task_id, kind, 1, data))


def fact(name: str, value: str | None = None) -> StreamFact:
    return StreamFact(task_id=ORDER.task_id, name=name, value=value)  # type: ignore[arg-type]


async def test_nothing_asked_nothing_read() -> None:
    log = ReadLog()
    assert await replay(log, []) == []
    assert log.reads == []


async def test_an_absent_stream_is_empty_and_does_not_exist() -> None:
    [absent] = await replay(MemoryLog(), [ORDER])
    assert (absent.address, absent.exists, absent.last_id) == (ORDER, False, None)
    assert (absent.events, absent.facts) == ([], [])


async def test_many_short_streams_are_one_round_trip_in_the_order_asked() -> None:
    log = ReadLog()
    addresses = [TaskAddress(TaskId(f"task-{number}")) for number in range(100)]
    for address in reversed(addresses):
        await log.append([frame(sampled(0, task=address.task_id), address=address)])
    replays = await replay(log, addresses)
    assert [one.address for one in replays] == addresses
    assert all(one.exists and len(one.events) == 1 for one in replays)
    assert len(log.reads) == 1


async def test_long_streams_are_read_in_pages_to_the_last_id_seen_at_the_start() -> None:
    log = ReadLog()
    other = TaskAddress(TaskId("other"))
    appended = await log.append([frame(sampled(seq)) for seq in range(2 * PAGE_LIMIT + 1)])
    await log.append([frame(sampled(0, task="other"), address=other)])
    log.while_reading = [frame(sampled(seq)) for seq in range(PAGE_LIMIT)]  # faster than we read
    [order, _] = await replay(log, [ORDER, other])
    assert [event.envelope.seq for event in order.events] == list(range(2 * PAGE_LIMIT + 1))
    assert isinstance(appended[-1], Appended)
    assert order.last_id == appended[-1].stream_id
    assert order.facts == []
    assert [len(ranges) for ranges in log.reads] == [2, 1, 1]


async def test_a_limit_is_said() -> None:
    log = MemoryLog()
    appended = await log.append([frame(sampled(seq)) for seq in range(3)])
    [cut] = await replay(log, [ORDER], entry_limit=2)
    assert [event.envelope.seq for event in cut.events] == [0, 1]
    assert cut.facts == [fact("limit_reached")]
    assert isinstance(appended[1], Appended)
    assert cut.last_id == appended[1].stream_id
    [whole] = await replay(log, [ORDER], entry_limit=3)
    assert whole.facts == []


async def test_trimming_is_said_and_a_stream_with_nothing_left_exists() -> None:
    log = MemoryLog()
    await log.append([frame(sampled(seq)) for seq in range(3)])
    log.trim(ORDER, keep=1)
    [trimmed] = await replay(log, [ORDER])
    assert [event.envelope.seq for event in trimmed.events] == [2]
    assert trimmed.facts == [fact("trimmed")]
    log.trim(ORDER, keep=0)
    [emptied] = await replay(log, [ORDER])
    assert (emptied.exists, emptied.events, emptied.facts) == (True, [], [fact("trimmed")])


async def test_each_topology_kind_is_a_fact() -> None:
    log = MemoryLog()
    kinds = ["routed_tasks_shared_status", None, "routed_tasks_shared_status", "shared_status_workflow"]
    await log.append([frame(sampled(seq), kind=kind) for seq, kind in enumerate(kinds)])
    [order] = await replay(log, [ORDER])
    assert order.facts == [
        fact("topology_kind", "routed_tasks_shared_status"),
        fact("topology_kind", "shared_status_workflow"),
    ]


async def test_an_append_that_came_twice_is_read_once_and_a_contradiction_twice() -> None:
    log = MemoryLog()
    twice, other = frame(sampled(0), sampled(1)), status("completed")
    contradiction = status("failed", event_id=other.envelope.event_id)
    await log.append([twice, twice, frame(other), frame(contradiction)])
    [order] = await replay(log, [ORDER])
    assert [event.body for event in order.events] == [
        sampled(0).body,
        sampled(1).body,
        other.body,
        contradiction.body,
    ]


async def test_what_cannot_be_read_spoils_nothing_beside_it() -> None:
    log = MemoryLog()
    await log.append([frame(sampled(0)), Append(ORDER, b"\xc1garbage"), frame(sampled(1))])
    [order] = await replay(log, [ORDER])
    assert [type(event.body).__name__ for event in order.events] == [
        "TaskResourceSampled",
        Opaque.__name__,
        "TaskResourceSampled",
    ]


async def test_it_reads_what_a_recorder_wrote() -> None:
    log = MemoryLog()
    async with make_recorder(log) as recorder:
        recorder.record(sampled(0), topology_kind="shared_tasks_shared_status")
    [order] = await replay(log, [ORDER])
    assert order.events[0].envelope == sampled(0).envelope
    assert order.facts == [fact("topology_kind", "shared_tasks_shared_status")]
