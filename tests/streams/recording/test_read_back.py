"""The search for frames whose appends were not answered."""

from __future__ import annotations

import pytest
from streams.faulty_log import FaultyLog
from streams.log_harness import address
from streams.recording_steps import sampled

from relayna.errors import StoreRefused, StoreUnreachable
from relayna.ids import StreamId, TaskId
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.log import PAGE_LIMIT, Append, Appended, StreamPage, StreamRange
from relayna.streams.recording.held import hold
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.recording.positions import Positions
from relayna.streams.recording.read_back import ReadBack

pytestmark = pytest.mark.anyio


class Sought:
    """A log, what is known of it, and the frames that are looked for."""

    def __init__(self) -> None:
        self.log = FaultyLog()
        self.positions = Positions()
        self.reader = ReadBack(self.log, DEFAULT_TENANT, self.positions)

    async def append(self, frame: PendingFrame) -> StreamId:
        (result,) = await self.log.log.append([Append(address(frame.task_id), frame.payload())])
        assert isinstance(result, Appended)
        return result.stream_id

    async def fill(self, task: str, entries: int) -> None:
        await self.log.log.append([Append(address(task), b"%d" % number) for number in range(entries)])

    async def find(self, *frames: PendingFrame) -> dict[str, StreamId | None]:
        found, error = await self.reader.find(frames)
        assert error is None
        return {frame.task_id: where for frame, where in found.items()}


def frame(task: str, seq: int = 0) -> PendingFrame:
    return PendingFrame(TaskId(task), None, 0, [hold(sampled(seq, task=task), None, None)], 1, 7)


@pytest.fixture
def sought() -> Sought:
    return Sought()


async def test_all_are_looked_for_in_one_round_trip(sought: Sought) -> None:
    there = {task: await sought.append(frame(task)) for task in "abc"}
    assert await sought.find(*map(frame, "abcd")) == {**there, "d": None}
    assert sought.log.reads == 1


async def test_another_frame_of_the_task_is_not_taken_for_it(sought: Sought) -> None:
    await sought.append(frame("a", seq=1))
    assert await sought.find(frame("a", seq=2)) == {"a": None}


async def test_it_is_looked_for_after_the_last_entry_that_is_known(sought: Sought) -> None:
    sought.positions.note([(frame("a"), await sought.append(frame("a")))])
    await sought.fill("a", 3 * PAGE_LIMIT)
    where = await sought.append(frame("a", seq=1))
    assert await sought.find(frame("a", seq=1)) == {"a": where}
    assert await sought.find(frame("a")) == {"a": None}  # before what is known, so not this one


async def test_without_any_knowledge_it_is_looked_for_from_the_end(sought: Sought) -> None:
    await sought.fill("a", 9 * PAGE_LIMIT)
    where = await sought.append(frame("a"))
    assert await sought.find(frame("a")) == {"a": where}
    assert sought.log.reads == 1
    await sought.fill("a", 3 * PAGE_LIMIT)
    assert await sought.find(frame("a")) == {"a": where}
    await sought.fill("a", PAGE_LIMIT)
    reads = sought.log.reads
    assert await sought.find(frame("a")) == {"a": None}
    assert sought.log.reads - reads == 4


async def test_a_key_that_holds_no_stream_hides_no_other(sought: Sought) -> None:
    sought.log.no_streams = {"c", "f"}
    there = {task: await sought.append(frame(task)) for task in "abde"}
    assert await sought.find(*map(frame, "abcdef")) == {**there, "c": None, "f": None}


async def test_a_node_that_is_down_keeps_only_its_own_waiting(sought: Sought) -> None:
    tasks = [f"t{number}" for number in range(12)]
    there = {task: await sought.append(frame(task)) for task in tasks}
    sought.log.unreachable_tasks = {"t3", "t7"}
    missing = list(map(frame, tasks))
    found: dict[str, StreamId | None] = {}
    tries = 0
    while len(missing) > 2:
        tries += 1
        assert tries < 30
        now, error = await sought.reader.find(missing)
        assert isinstance(error, StoreUnreachable)
        found.update((one.task_id, where) for one, where in now.items())
        missing = [one for one in missing if one not in now]
    assert {one.task_id for one in missing} == {"t3", "t7"}
    sought.log.unreachable_tasks = set()
    found.update(await sought.find(*missing))
    assert found == there


async def test_a_store_that_is_away_is_asked_once_a_time(sought: Sought) -> None:
    sought.log.unreadable = True
    for tries in range(1, 5):
        found, error = await sought.reader.find([frame(f"t{number}") for number in range(20)])
        assert (found, type(error)) == ({}, StoreUnreachable)
        assert sought.log.reads == tries


async def test_who_may_not_read_appends_rather_twice_than_never() -> None:
    class Blind(FaultyLog):
        async def read(self, ranges: object) -> list[StreamPage]:
            raise StoreRefused("XRANGE", "NOPERM this user has no permissions")

    reader = ReadBack(Blind(), DEFAULT_TENANT, Positions())
    sought = frame("a")
    assert await reader.find([sought]) == ({sought: None}, None)


async def test_the_newest_entries_come_in_order(sought: Sought) -> None:
    await sought.fill("a", 5)
    (page,) = await sought.log.read([StreamRange(address=address("a"), limit=2, newest=True)])
    assert [entry.payload for entry in page.entries] == [b"3", b"4"]
