"""A store that lost what it had acknowledged: what is stored again, and what is confessed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams.faulty_log import FaultyLog
from streams.log_harness import address
from streams.recording_steps import ATTEMPT, CountedSignals, make_recorder, said, sampled, status

from relayna.events import EventsLost, TaskMessageAcked
from relayna.ids import TaskId
from relayna.streams.log import StreamRange
from relayna.streams.recording.held import hold
from relayna.streams.recording.recorder import Recorder
from relayna.streams.sink import Durability

pytestmark = pytest.mark.anyio

FIRST = dict.fromkeys(range(64), "first")
SECOND = dict.fromkeys(range(64), "second")


class Store:
    """A log that can be put back to what it was at some moment."""

    def __init__(self) -> None:
        self.log = FaultyLog()
        self.log.names = FIRST

    def go_back(self, task: str, *, keep: int) -> None:
        """The stream's first entries are left of it, as on a replica that was behind."""
        stream = self.log.log._streams[address(task)]
        stream._added -= len(stream._items[keep:])
        del stream._items[keep:]
        self.log.names = SECOND

    async def entries(self, task: str) -> int:
        (page,) = await self.log.log.read([StreamRange(address=address(task))])
        return len(page.entries)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[Recorder]:
    async with make_recorder(store.log) as opened:
        yield opened


async def stored(recorder: Recorder, *events: object) -> None:
    """Each in a frame of its own."""
    for event in events:
        recorder.record(event)  # type: ignore[arg-type]
        while await recorder.durable(budget_seconds=30) is not Durability.STORED:
            pass


async def seqs(recorder: Recorder, task: str = "order") -> list[int | None]:
    return [event.envelope.seq for event in await recorder.read(TaskId(task))]


async def test_only_what_is_missing_is_stored_again(store: Store, recorder: Recorder) -> None:
    await stored(recorder, *map(sampled, range(4)), sampled(0, task="quiet"))
    store.go_back("order", keep=2)
    await stored(recorder, sampled(4))
    assert sorted(seq or 0 for seq in await seqs(recorder)) == [0, 1, 2, 3, 4]
    assert (await store.entries("order"), await store.entries("quiet")) == (5, 1)


async def test_a_store_that_lost_everything_gets_everything_back(store: Store, recorder: Recorder) -> None:
    await stored(recorder, *map(sampled, range(3)), status("completed"))
    store.go_back("order", keep=0)
    await stored(recorder, sampled(0, task="other"))
    assert await seqs(recorder) == [0, 1, 2, None]


async def test_another_name_alone_stores_nothing_again(store: Store, recorder: Recorder) -> None:
    await stored(recorder, *map(sampled, range(3)))
    store.log.names = SECOND
    await stored(recorder, sampled(3))
    assert await store.entries("order") == 4


async def test_what_was_not_answered_is_looked_for_on_the_new_server(
    store: Store, recorder: Recorder
) -> None:
    await stored(recorder, *map(sampled, range(3)))
    store.log.outcomes = ["lost"]
    recorder.record(sampled(3))
    await recorder.durable(budget_seconds=0)
    await store.log.until(lambda: not store.log.outcomes)
    store.go_back("order", keep=1)
    await stored(recorder, sampled(4))
    assert sorted(seq or 0 for seq in await seqs(recorder)) == [0, 1, 2, 3, 4]
    assert await store.entries("order") == 5


async def test_nothing_counts_as_stored_while_nobody_knows_where(store: Store, recorder: Recorder) -> None:
    await stored(recorder, sampled(0))
    store.log.nameless = True
    recorder.record(sampled(1))
    await recorder.durable(budget_seconds=0)
    await store.log.until(lambda: len(store.log.calls) > 1)
    assert await recorder.durable(budget_seconds=0) is Durability.PENDING
    store.log.nameless = False
    store.go_back("order", keep=1)
    await stored(recorder, sampled(2))
    assert sorted(seq or 0 for seq in await seqs(recorder)) == [0, 1, 2]
    assert await store.entries("order") == 3


async def test_a_look_that_fails_is_made_again(store: Store, recorder: Recorder) -> None:
    await stored(recorder, *map(sampled, range(3)))
    store.go_back("order", keep=1)
    store.log.broken_reads = 3
    await stored(recorder, sampled(3))
    assert store.log.broken_reads == 0
    assert sorted(seq or 0 for seq in await seqs(recorder)) == [0, 1, 2, 3]
    assert await store.entries("order") == 4


async def test_a_key_that_holds_no_stream_any_more_harms_no_other(store: Store, recorder: Recorder) -> None:
    await stored(recorder, *(sampled(0, task=task) for task in "abc"))
    store.go_back("c", keep=0)
    store.log.no_streams = {"b"}
    await stored(recorder, sampled(1, task="a"))
    store.log.no_streams = set()
    assert await seqs(recorder, "c") == [0]


class TestWhatIsNotKept:
    @pytest.fixture
    async def recorder(self, store: Store) -> AsyncIterator[Recorder]:
        async with make_recorder(store.log, window_bytes=0) as opened:
            yield opened

    async def confessed(self, recorder: Recorder, task: str = "order") -> list[EventsLost]:
        read = await recorder.read(TaskId(task))
        return [event.body for event in read if isinstance(event.body, EventsLost)]

    async def test_it_is_confessed_with_its_numbers(self, store: Store, recorder: Recorder) -> None:
        await stored(recorder, *map(sampled, range(4)), said(TaskMessageAcked(), seq=4))
        store.go_back("order", keep=2)
        await stored(recorder, sampled(0, task="other"))
        assert await self.confessed(recorder) == [
            EventsLost(seq_ranges=((2, 4),), count=3, reason="failover", outcome="TaskMessageAcked")
        ]

    async def test_it_is_told_to_whoever_waits(self, store: Store, recorder: Recorder) -> None:
        await stored(recorder, sampled(0))
        store.go_back("order", keep=0)
        recorder.record(sampled(0, task="other"))
        assert await recorder.durable(budget_seconds=30) is Durability.LOST

    async def test_without_numbers_it_is_counted(self, store: Store, recorder: Recorder) -> None:
        await stored(recorder, status("processing"), status("completed"))
        store.go_back("order", keep=1)
        await stored(recorder, sampled(0, task="other"))
        assert await self.confessed(recorder) == [EventsLost(count=1, reason="failover")]

    async def test_what_was_confessed_before_is_not_confessed_again(
        self, store: Store, recorder: Recorder
    ) -> None:
        await stored(
            recorder, sampled(0), said(EventsLost(seq_ranges=((1, 2),), count=2), attempt_id=ATTEMPT)
        )
        await stored(recorder, sampled(3), sampled(4))
        store.go_back("order", keep=3)
        await stored(recorder, sampled(0, task="other"))
        assert (await self.confessed(recorder))[-1].seq_ranges == ((4, 4),)

    async def test_what_was_trimmed_is_not_called_lost(self, store: Store, recorder: Recorder) -> None:
        await stored(recorder, *map(sampled, range(6)))
        store.log.log.trim(address("order"), keep=4)
        store.go_back("order", keep=3)
        await stored(recorder, sampled(0, task="other"))
        assert (await self.confessed(recorder))[-1].seq_ranges == ((5, 5),)


async def test_what_the_window_does_not_reach_back_to_is_confessed_and_the_rest_stored_again() -> None:
    store, signals = Store(), CountedSignals()
    size = len(sampled_data())
    async with make_recorder(store.log, window_bytes=2 * size, counters=signals) as recorder:
        await stored(recorder, *map(sampled, range(6)))
        store.go_back("order", keep=1)
        await stored(recorder, sampled(0, task="other"))
        read = await recorder.read(TaskId("order"))
    assert sorted(event.envelope.seq for event in read if event.envelope.seq is not None) == [0, 4, 5]
    assert [event.body.seq_ranges for event in read if isinstance(event.body, EventsLost)] == [((1, 3),)]
    assert signals["relayna_records_dropped_total{reason=failover}"] == 3


def sampled_data() -> bytes:
    """As large as any of a dozen."""
    return hold(sampled(11), None, None).data


@given(
    frames=st.integers(1, 12),
    keep=st.integers(0, 12),
    kept_frames=st.integers(0, 12),
    fresh=st.booleans(),
)
async def test_each_event_is_in_the_log_once_or_confessed_once(
    frames: int, keep: int, kept_frames: int, fresh: bool
) -> None:
    store = Store()
    async with make_recorder(store.log, window_bytes=kept_frames * len(sampled_data())) as recorder:
        await stored(recorder, *map(sampled, range(frames)))
        store.go_back("order", keep=min(keep, frames))
        await stored(recorder, sampled(frames) if fresh else sampled(0, task="other"))
        read = await recorder.read(TaskId("order"))
        entries = await store.entries("order")
    there = [event.envelope.seq for event in read if event.envelope.seq is not None]
    lost = [
        seq
        for event in read
        if isinstance(event.body, EventsLost)
        for first, last in event.body.seq_ranges
        for seq in range(first, last + 1)
    ]
    assert entries == len(read)
    assert sorted(there + lost) == list(range(frames + fresh))
    assert len(lost) == max(0, frames - keep - kept_frames)
