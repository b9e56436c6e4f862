"""Histories and timelines: what is read, and how pages follow each other. In memory and on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
from observability.kept_histories import keep
from servers import StoreUnderTest

from relayna.errors import ExecutionNotFound, InvalidQuery
from relayna.events import RecordedEvent
from relayna.ids import EventId, TaskId
from relayna.observability import history_pages, task_histories
from relayna.observability.family_history import FamilyBounds
from relayna.observability.history_pages import HistoryPage
from relayna.observability.task_histories import TaskHistories
from relayna.streams import Append, Log, MemoryLog, StreamPage, StreamRange, TaskAddress
from relayna.streams.redis import RedisLog
from relayna.testing import history

pytestmark = pytest.mark.anyio


class CountingLog(MemoryLog):
    """Counts the entries that it gives out."""

    entries = 0

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        pages = await super().read(ranges)
        self.entries += sum(len(page.entries) for page in pages)
        return pages


@pytest.fixture(params=["memory", "server"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[Log]:
    """A log that is open."""
    if request.param == "memory":
        yield MemoryLog()
        return
    store: StoreUnderTest = request.getfixturevalue("any_store")
    async with RedisLog(store.url, prefix=store.prefix, shard_count=4) as opened:
        yield opened


def run(retries: int = 3) -> list[RecordedEvent]:
    """A task that is retried so often and then dead-lettered."""
    attempt = history("order-7").published().attempt()
    for _ in range(retries):
        attempt = attempt.fails("TimeoutError").retried().attempt()
    return [*attempt.fails("TimeoutError").dead_lettered().events]


def ids(page: HistoryPage) -> list[EventId]:
    return [event["event_id"] for event in page.events]


async def pages(histories: TaskHistories, **asked: Any) -> list[HistoryPage]:
    """Page after page, to the last."""
    found = [await histories.get_history("order-7", **asked)]
    while found[-1].next is not None:
        found.append(await histories.get_history("order-7", **asked, cursor=found[-1].next))
    return found


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("per_frame", [1, 3, 100])
@pytest.mark.parametrize("limit", [1, 4, 25, 200])
async def test_pages_in_any_size_and_order_are_the_history(
    log: Log, order: str, per_frame: int, limit: int
) -> None:
    events = run()
    await keep(log, events, per_frame=per_frame)
    found = await pages(TaskHistories(log=log), order=order, limit=limit)
    expected = [event.envelope.event_id for event in events]
    assert [one for page in found for one in ids(page)] == expected[:: 1 if order == "asc" else -1]
    assert [len(page.events) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1].events


async def test_events_are_plain_records_with_their_position(log: Log) -> None:
    await keep(log, run())
    page = await TaskHistories(log=log).get_history("order-7", limit=2)
    assert [event["event_type"] for event in page.events] == ["TaskPublished", "TaskMessageReceived"]
    assert page.events[1]["queue_name"] == "work"
    behind = await TaskHistories(log=log).get_history("order-7", after=page.events[0]["position"], limit=1)
    assert ids(behind) == ids(page)[1:]
    upto = await TaskHistories(log=log).get_history("order-7", until=page.events[1]["position"])
    assert (ids(upto), upto.next) == (ids(page), None)
    assert (page.task_id, page.trimmed) == ("order-7", False)


async def test_only_some_types(log: Log) -> None:
    events = run(retries=12)
    await keep(log, events)
    for order in ("asc", "desc"):
        wanted = ("TaskHandlerFailed", "ConsumerRetryScheduled")
        found = await pages(TaskHistories(log=log), event_types=wanted, limit=5, order=order)
        told = [one for page in found for one in ids(page)]
        expected = [event.envelope.event_id for event in events if type(event.body).__name__ in wanted]
        assert told == expected[:: 1 if order == "asc" else -1]


async def test_a_page_reads_no_more_than_it_needs() -> None:
    log = CountingLog()
    await keep(log, run(retries=200))
    for order in ("asc", "desc"):
        log.entries = 0
        await TaskHistories(log=log).get_history("order-7", limit=10, order=order)
        assert log.entries == 11


async def test_a_filter_that_finds_little_ends_a_page_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_pages, "_MOST_EXAMINED", 20)
    monkeypatch.setattr(history_pages, "_MOST_AT_ONCE", 4)
    log = MemoryLog()
    events = run(retries=30)
    await keep(log, events)
    for order in ("asc", "desc"):
        found = await pages(TaskHistories(log=log), event_types=("DeadLetterRecorded",), limit=3, order=order)
        assert sum(len(page.events) for page in found) == 1
        assert len(found) > 3


async def test_what_is_added_meanwhile_comes_with_a_later_page(log: Log) -> None:
    events = run()
    histories = TaskHistories(log=log)
    await keep(log, events[:6])
    first = await histories.get_history("order-7", limit=4)
    await keep(log, events[6:])
    rest = await histories.get_history("order-7", cursor=first.next, limit=200)
    assert [*ids(first), *ids(rest)] == [event.envelope.event_id for event in events]


async def test_payloads_are_shown_to_whoever_may_see_them(log: Log) -> None:
    letter = next(event for event in run() if type(event.body).__name__ == "DeadLetterRecorded")
    body = msgspec.structs.replace(letter.body, body=b"secret", headers={"authorization": "secret"})
    await keep(log, [msgspec.structs.replace(letter, body=body)])
    histories = TaskHistories(log=log)
    (shown,) = (await histories.get_history("order-7", with_payloads=True)).events
    assert shown["headers"] == {"authorization": "secret"}
    assert "withheld" not in shown
    (left_out,) = (await histories.get_history("order-7")).events
    assert left_out["withheld"] == ["headers", "body"]
    assert "secret" not in repr(left_out)
    assert left_out["dead_letter_id"] == letter.body.dead_letter_id  # type: ignore[union-attr]


async def test_what_cannot_be_read_is_told_as_such() -> None:
    log = MemoryLog()
    await log.append([Append(TaskAddress(TaskId("order-7")), b"no frame")])
    (event,) = (await TaskHistories(log=log).get_history("order-7")).events
    assert (event["event_type"], event["reason"]) == ("Opaque", "corrupt")


async def test_a_trimmed_stream_says_so() -> None:
    log = MemoryLog()
    await keep(log, run())
    log.trim(TaskAddress(TaskId("order-7")), keep=3)
    page = await TaskHistories(log=log).get_history("order-7")
    assert (len(page.events), page.trimmed) == (3, True)


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"order": "up"}, "order"),
        ({"event_types": ("TaskPublished", "Nothing")}, "event_type"),
        ({"after": "yesterday"}, "after"),
        ({"until": "0-0"}, "until"),
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"cursor": "x"}, "cursor"),
    ],
)
async def test_questions_without_meaning(log: Log, asked: dict[str, Any], parameter: str) -> None:
    await keep(log, run())
    with pytest.raises(InvalidQuery) as refused:
        await TaskHistories(log=log).get_history("order-7", **asked)
    assert refused.value.parameter == parameter


async def test_a_cursor_is_good_for_its_question_only(log: Log) -> None:
    await keep(log, run())
    histories = TaskHistories(log=log)
    cursor = (await histories.get_history("order-7", limit=1)).next
    with pytest.raises(InvalidQuery, match="another question"):
        await histories.get_history("order-7", order="desc", cursor=cursor)


async def test_nothing_recorded_is_not_found(log: Log) -> None:
    histories = TaskHistories(log=log)
    with pytest.raises(ExecutionNotFound):
        await histories.get_history("nobody")
    with pytest.raises(ExecutionNotFound):
        await histories.get_timeline("nobody")


async def test_a_timeline_by_pages(log: Log) -> None:
    await keep(log, run())
    histories = TaskHistories(log=log)
    whole = await histories.get_timeline("order-7")
    assert (whole.next, whole.lines) == (None, len(whole.entries))
    found, cursor = [], None
    while True:
        page = await histories.get_timeline("order-7", limit=7, cursor=cursor)
        found += page.entries
        cursor = page.next
        if cursor is None:
            break
        assert len(page.entries) == 7
    assert found == whole.entries
    assert page.first_at == whole.first_at


async def test_a_timeline_as_it_was(log: Log) -> None:
    events = run()
    await keep(log, events)
    then = await TaskHistories(log=log).get_timeline("order-7", at=events[3].envelope.timestamp)
    assert len(then.entries) == 4


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"at": "yesterday"}, "at"),
        ({"limit": 0}, "limit"),
        ({"limit": 1_001}, "limit"),
        ({"cursor": "no event"}, "cursor"),
    ],
)
async def test_timelines_without_meaning(log: Log, asked: dict[str, Any], parameter: str) -> None:
    await keep(log, run())
    with pytest.raises(InvalidQuery) as refused:
        await TaskHistories(log=log).get_timeline("order-7", **asked)
    assert refused.value.parameter == parameter


async def test_a_timeline_of_very_many_events_leaves_out_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    few = FamilyBounds(tasks=1, events=400, events_a_task=400, bytes=2**30)
    monkeypatch.setattr(task_histories, "bounds_for", lambda max_nodes, max_tasks: few)
    log = MemoryLog()
    told = history("order-7", tick=0.001).published().attempt()
    for number in range(1_000):
        told.status(f"step {number}")
    await keep(log, told.events, per_frame=20)
    timeline = await TaskHistories(log=log).get_timeline("order-7", limit=1_000)
    assert "limit_reached" in timeline.missing
    assert 400 <= timeline.lines < 500
    assert (timeline.entries[0].text, timeline.entries[-1].text) == ("published", "status step 999")
