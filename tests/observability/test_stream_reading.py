"""Which part of a long stream is read: its beginning and its end, all of it when it is short, once each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.events import Envelope, Event, TaskMessageReceived, encode_event, encode_frame
from relayna.ids import EventId, StreamId, TaskId, stream_position
from relayna.instants import Instant
from relayna.observability.stream_reading import ReadingBounds, StreamReading
from relayna.streams import Entry, StreamPage, StreamRange, StreamState, TaskAddress
from relayna.streams.log import START

TASK = TaskId("T")


def entry(number: int, events: int = 1, offered: int | None = None) -> Entry:
    """The entry `number-0`, with events named by it, first offered at that millisecond."""
    told = [
        Event(
            envelope=Envelope(event_id=EventId(f"{number}.{n}"), timestamp=Instant(0), task_id=TASK),
            body=TaskMessageReceived(),
        )
        for n in range(events)
    ]
    payload = encode_frame(TASK, None, offered, [encode_event(one) for one in told])
    return Entry(StreamId(f"{number}-0"), payload)


class Stream:
    """Answers as a log does, and counts."""

    def __init__(self, entries: list[Entry], gone: int = 0) -> None:
        self.entries = entries
        self.pages = 0
        last = entries[-1].stream_id if entries else None
        self.state = StreamState(length=len(entries), entries_added=len(entries) + gone, last_id=last)

    def page(self, wanted: StreamRange) -> StreamPage:
        self.pages += 1
        after = stream_position(wanted.after)
        until = stream_position(wanted.until) if wanted.until is not None else (2**64, 0)
        found = [one for one in self.entries if after < stream_position(one.stream_id) <= until]
        some = found[max(0, len(found) - wanted.limit) :] if wanted.newest else found[: wanted.limit]
        return StreamPage(address=wanted.address, entries=some, state=self.state)

    def read(self, bounds: ReadingBounds, *, page: int) -> StreamReading:
        first = StreamRange(address=TaskAddress(TASK), after=START, until=bounds.until, limit=page)
        reading = StreamReading(self.page(first), bounds)
        list(reading.begin())
        while (wanted := reading.next_range(page)) is not None:
            list(reading.add(self.page(wanted)))
        return reading


def numbers(reading: StreamReading) -> list[int]:
    """Of the entries that were read, in the stream's order."""
    return sorted({int(event.stream_id.partition("-")[0]) for event in reading.events})


@given(
    sizes=st.lists(st.integers(0, 4), max_size=60),
    page=st.integers(1, 20),
    most=st.integers(1, 100),
    until=st.none() | st.integers(1, 70),
)
def test_everything_or_the_beginning_and_the_end(
    sizes: list[int], page: int, most: int, until: int | None
) -> None:
    stream = Stream([entry(1 + number, events) for number, events in enumerate(sizes)])
    bounds = ReadingBounds(events=most, until=None if until is None else StreamId(f"{until}-0"))
    reading = stream.read(bounds, page=page)
    wanted = [number for number, events in enumerate(sizes, 1) if until is None or number <= until]
    told = {number for number in wanted if sizes[number - 1]}

    found = [event.envelope.event_id for event in reading.events]
    assert len(found) == len(set(found))
    cost = sum(max(1, sizes[number - 1]) for number in wanted)
    if reading.left_out is None:
        assert set(numbers(reading)) == told
    else:
        assert cost > most
        assert most <= reading.decoded < most + 4
        left_out = reading.left_out
        first = stream_position(left_out.after)[0]
        last = 2**64 if left_out.before is None else stream_position(left_out.before)[0]
        assert {number for number in told if number <= first or number >= last} == set(numbers(reading))
        assert (left_out.entries is None) == (until is not None)
    assert reading.position.last_id == stream.state.last_id


def test_a_long_stream_is_read_from_its_beginning_and_its_end() -> None:
    stream = Stream([entry(number) for number in range(1, 1_001)])
    reading = stream.read(ReadingBounds(events=100), page=50)
    assert numbers(reading) == [*range(1, 26), *range(926, 1_001)]
    assert reading.left_out is not None
    assert (reading.left_out.after, reading.left_out.before, reading.left_out.entries) == (
        "25-0",
        "926-0",
        900,
    )


def test_a_short_stream_is_one_page() -> None:
    stream = Stream([entry(number) for number in range(1, 41)])
    reading = stream.read(ReadingBounds(events=40), page=50)
    assert (numbers(reading), stream.pages) == ([*range(1, 41)], 1)
    assert reading.left_out is None


def test_frames_of_many_events_are_counted_as_such() -> None:
    stream = Stream([entry(number, events=100) for number in range(1, 101)])
    reading = stream.read(ReadingBounds(events=1_000), page=500)
    assert numbers(reading) == [1, 2, 3, *range(94, 101)]
    assert stream.pages == 1


def test_an_absent_stream_and_an_empty_one_hold_nothing() -> None:
    absent = Stream([]).read(ReadingBounds(events=10), page=5)
    assert (absent.events, absent.decoded, absent.left_out, absent.position.last_id) == ([], 0, None, None)
    emptied = Stream([], gone=3)
    emptied.state = StreamState(length=0, entries_added=3, last_id=StreamId("3-0"))
    reading = emptied.read(ReadingBounds(events=10), page=5)
    assert (reading.events, reading.trimmed, reading.left_out) == ([], True, None)


def test_only_what_was_offered_by_then_is_known() -> None:
    late = entry(9, offered=2)
    stream = Stream([entry(1, offered=1), entry(3, offered=3), entry(4), late, entry(10, offered=10)])
    assert numbers(stream.read(ReadingBounds(events=50, known_by=Instant(2_999)), page=50)) == [1, 9]
    assert numbers(stream.read(ReadingBounds(events=50, known_by=Instant(4_000)), page=50)) == [1, 3, 4, 9]


def test_of_a_long_stream_what_was_known_then_comes_before_what_was_not() -> None:
    stream = Stream([entry(number, offered=number) for number in range(1, 1_001)])
    reading = stream.read(ReadingBounds(events=100, known_by=Instant(500_000)), page=50)
    assert numbers(reading) == [*range(1, 26), *range(426, 501)]
    assert reading.left_out is not None


def test_the_event_loop_has_its_turn_between() -> None:
    stream = Stream([entry(number, events=50) for number in range(1, 101)])
    first = StreamRange(address=TaskAddress(TASK), limit=500)
    steps = list(StreamReading(stream.page(first), ReadingBounds(events=100_000)).begin())
    assert len(steps) == 20
