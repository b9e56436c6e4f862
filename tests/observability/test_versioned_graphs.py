"""Versions of graphs: equal in every process, current until anything that the answer depends on changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from observability.telling import tell
from servers import StoreUnderTest

from relayna.clock import FrozenClock
from relayna.errors import ExecutionNotFound, InvalidQuery
from relayna.events import ChildFinished, ChildRegistered, StatusPublished, TaskMessageReceived
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService
from relayna.streams import MemoryLog, StreamPage, StreamRange, TaskAddress
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio

WEEK = 7 * 86_400
OTHER_QUESTIONS: list[dict[str, Any]] = [
    {"at": "2026-01-01T00:00:00Z"},
    {"as_of": "2026-01-01T00:00:00Z"},
    {"depth": 2},
    {"max_nodes": 10},
    {"view": "failures"},
    {"collapse": ["attempts"]},
]


def child(name: str) -> TaskAddress:
    return TaskAddress(TaskId(name))


class Reads(MemoryLog):
    """Counts pages of streams and looks at states."""

    pages = 0
    looks = 0

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        self.pages += len(ranges)
        return await super().read(ranges)

    async def states(self, addresses: Sequence[TaskAddress]) -> Any:
        self.looks += 1
        return await super().states(addresses)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def log(clock: FrozenClock) -> Reads:
    return Reads(clock=clock)


async def family(log: MemoryLog, clock: FrozenClock, children: int) -> list[str]:
    """P with so many children, which are all told of; their names."""
    names = [f"child-{number:03}" for number in range(children)]
    await tell(
        log, clock, "P", TaskMessageReceived(), *(ChildRegistered(child_task_id=TaskId(one)) for one in names)
    )
    for name in names:
        await tell(log, clock, name, TaskMessageReceived())
    return names


async def test_the_streams_are_those_that_were_read(log: Reads, clock: FrozenClock) -> None:
    await tell(log, clock, "P", *(ChildRegistered(child_task_id=TaskId(name)) for name in ("there", "not")))
    await tell(log, clock, "there", TaskMessageReceived())
    answer = await ExecutionGraphService(log=log, clock=clock).get_versioned("P")

    ends = {
        state[0]: page.state.last_id
        for state, page in zip(
            answer.streams,
            await log.read([StreamRange(address=one) for one, _ in answer.streams]),
            strict=True,
        )
    }
    assert dict(answer.streams) == ends
    assert [address.task_id for address, _ in answer.streams] == ["P", "not", "there"]
    assert dict(answer.streams)[child("not")] is None


@pytest.mark.parametrize("children", [0, 5, 100])
async def test_every_process_gives_the_same_version(log: Reads, clock: FrozenClock, children: int) -> None:
    await family(log, clock, children)
    first, second = (ExecutionGraphService(log=log, clock=clock) for _ in range(2))
    version = (await first.get_versioned("P")).version
    clock.advance(100)
    assert version == (await second.get_versioned("P")).version == (await first.get_versioned("P")).version
    assert await first.is_current(version, "P")
    assert await second.is_current(version, "P")


async def test_a_look_reads_no_body(log: Reads, clock: FrozenClock) -> None:
    await family(log, clock, 31)
    version = (await ExecutionGraphService(log=log, clock=clock).get_versioned("P")).version
    log.pages = log.looks = 0
    assert await ExecutionGraphService(log=log, clock=clock).is_current(version, "P")
    assert (log.pages, log.looks) == (0, 1)


async def test_a_version_of_many_streams_is_known_where_it_was_made(log: Reads, clock: FrozenClock) -> None:
    names = await family(log, clock, 32)
    service = ExecutionGraphService(log=log, clock=clock)
    version = (await service.get_versioned("P")).version
    assert await service.is_current(version, "P")
    assert not await ExecutionGraphService(log=log, clock=clock).is_current(version, "P")
    await tell(log, clock, names[-1], StatusPublished(status="late"))
    assert not await service.is_current(version, "P")


@pytest.mark.parametrize("question", OTHER_QUESTIONS)
async def test_a_version_is_of_its_question(log: Reads, clock: FrozenClock, question: dict[str, Any]) -> None:
    await family(log, clock, 2)
    service = ExecutionGraphService(log=log, clock=clock)
    plain = (await service.get_versioned("P")).version
    other = (await service.get_versioned("P", **question)).version
    assert plain != other
    assert await service.is_current(other, "P", **question)
    assert not await service.is_current(plain, "P", **question)
    assert not await service.is_current(other, "P")


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800", "W/x", "A" * 10_000])
async def test_any_other_text_is_not_current(log: Reads, clock: FrozenClock, token: str) -> None:
    await family(log, clock, 1)
    assert not await ExecutionGraphService(log=log, clock=clock).is_current(token, "P")


async def test_a_version_is_of_its_task_and_tenant(log: Reads, clock: FrozenClock) -> None:
    await tell(log, clock, "T", TaskMessageReceived())
    await tell(log, clock, "U", TaskMessageReceived())
    service = ExecutionGraphService(log=log, clock=clock)
    version = (await service.get_versioned("T")).version
    assert not await service.is_current(version, "U")
    assert not await ExecutionGraphService(log=log, clock=clock, tenant="other").is_current(version, "T")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", ["append", "trim", "delete", "child", "child_trimmed", "child_gone", "absent"]
)
async def test_whatever_happens_to_a_stream_ends_the_version(
    log: Reads, clock: FrozenClock, change: str
) -> None:
    for _ in range(3):
        await tell(
            log, clock, "P", *(ChildRegistered(child_task_id=TaskId(name)) for name in ("there", "not"))
        )
        await tell(log, clock, "there", TaskMessageReceived())
        clock.advance(1)
    service = ExecutionGraphService(log=log, clock=clock)
    before = await service.get_versioned("P")
    assert await service.is_current(before.version, "P")
    match change:
        case "append":
            await tell(log, clock, "P", StatusPublished(status="completed"))
        case "trim":
            log.trim(child("P"), keep=2)
        case "delete":
            log.delete(child("P"))
        case "child":
            await tell(log, clock, "there", StatusPublished(status="completed"))
        case "child_trimmed":
            log.trim(child("there"), keep=2)
        case "child_gone":
            log.delete(child("there"))
        case _:
            await tell(log, clock, "not", TaskMessageReceived())
    assert not await service.is_current(before.version, "P")
    if change == "delete":
        with pytest.raises(ExecutionNotFound):
            await service.get_versioned("P")
    else:
        assert (await service.get_versioned("P")).version != before.version


async def test_trimming_a_trimmed_stream_further_ends_the_version(log: Reads, clock: FrozenClock) -> None:
    for _ in range(5):
        await tell(log, clock, "T", TaskMessageReceived())
    service = ExecutionGraphService(log=log, clock=clock)
    log.trim(child("T"), keep=4)
    version = (await service.get_versioned("T")).version
    log.trim(child("T"), keep=3)
    assert not await service.is_current(version, "T")


async def test_time_alone_ends_a_version_when_a_missing_child_counts_as_expired(clock: FrozenClock) -> None:
    async with MemoryLog(clock=clock, retention_seconds=4 * WEEK) as log:
        gone = ChildFinished(child_task_id=TaskId("C"), status="completed")
        await tell(log, clock, "P", TaskMessageReceived(), gone)
        service = ExecutionGraphService(log=log, clock=clock, retention_seconds=WEEK)
        missing = await service.get_versioned("P")
        clock.advance(WEEK)
        assert await service.is_current(missing.version, "P")
        assert (await service.get_versioned("P")).version == missing.version
        clock.advance(0.000_001)
        assert not await service.is_current(missing.version, "P")
        expired = await service.get_versioned("P")
        assert expired.graph.annotations["completeness"] == ["child_expired"]
        assert expired.version != missing.version
        clock.advance(WEEK)
        assert await service.is_current(expired.version, "P")


async def test_a_stream_that_has_expired_ends_the_version(clock: FrozenClock) -> None:
    async with MemoryLog(clock=clock, retention_seconds=WEEK, open_retention_seconds=WEEK) as log:
        await tell(log, clock, "T", TaskMessageReceived())
        service = ExecutionGraphService(log=log, clock=clock)
        version = (await service.get_versioned("T")).version
        clock.advance(WEEK + 1)
        assert not await service.is_current(version, "T")


async def test_a_graph_with_a_key_that_is_no_stream_is_never_current(store: StoreUnderTest) -> None:
    clock = FrozenClock()
    async with RedisLog(store.url, prefix=store.prefix) as log:
        await tell(log, clock, "P", ChildRegistered(child_task_id=TaskId("bad")))
        store.admin.set(log.keys.events(child("bad")), "no stream", ex=60)
        service = ExecutionGraphService(log=log)
        assert not await service.is_current((await service.get_versioned("P")).version, "P")


async def test_on_a_real_server_versions_are_current_until_something_happens(store: StoreUnderTest) -> None:
    clock = FrozenClock()
    async with RedisLog(store.url, prefix=store.prefix) as log:
        await tell(log, clock, "P", ChildRegistered(child_task_id=TaskId("C")))
        service = ExecutionGraphService(log=log)
        absent = (await service.get_versioned("P")).version
        assert await service.is_current(absent, "P")
        await tell(log, clock, "C", TaskMessageReceived(), StatusPublished(status="half"))
        assert not await service.is_current(absent, "P")
        there = (await service.get_versioned("P")).version
        assert await service.is_current(there, "P")
        await tell(log, clock, "C", StatusPublished(status="completed"))
        store.admin.xtrim(log.keys.events(child("C")), maxlen=1, approximate=False)
        assert not await service.is_current(there, "P")


async def test_what_was_known_then_is_not_what_had_happened_then(log: Reads, clock: FrozenClock) -> None:
    await tell(log, clock, "T", StatusPublished(status="processing"))
    clock.advance(10)
    # It waited in a spool for five seconds.
    await tell(log, clock, "T", StatusPublished(status="half"), offered_earlier=5)
    clock.advance(10)
    await tell(log, clock, "T", StatusPublished(status="completed"))
    service = ExecutionGraphService(log=log, clock=clock)

    async def status(moment: str, **more: Any) -> str | None:
        return (await service.get_graph("T", as_of=f"2026-01-01T00:00:{moment}Z", **more)).summary.status

    assert [await status(moment) for moment in ("00", "04", "05", "19", "20")] == [
        "processing", "processing", "half", "half", "completed",
    ]  # fmt: skip
    assert await status("20", at="2026-01-01T00:00:09Z") == "processing"
    nothing = await service.get_graph("T", as_of="2025-01-01T00:00:00Z")
    assert (nothing.summary.status, nothing.annotations["completeness"]) == (None, ["no_observations"])
    assert nothing.annotations["as_of"] == "2025-01-01T00:00:00+00:00"


@pytest.mark.parametrize("children", [2, 40])
async def test_an_earlier_version_can_be_asked_for_again(
    log: Reads, clock: FrozenClock, children: int
) -> None:
    names = await family(log, clock, children)
    service = ExecutionGraphService(log=log, clock=clock)
    earlier = await service.get_versioned("P")
    clock.advance(10)
    await tell(log, clock, "P", ChildRegistered(child_task_id=TaskId("late")), StatusPublished(status="done"))
    await tell(log, clock, names[0], StatusPublished(status="completed"))
    await tell(log, clock, "late", TaskMessageReceived())

    again = await service.get_graph("P", as_of=earlier.version)
    assert again.annotations.pop("as_of") == earlier.version
    assert again == earlier.graph
    assert (await service.get_graph("P", as_of=earlier.version, depth=0)).related_task_ids == names


async def test_a_child_that_was_absent_then_is_absent_as_of_then(log: Reads, clock: FrozenClock) -> None:
    await tell(log, clock, "P", ChildRegistered(child_task_id=TaskId("C")))
    service = ExecutionGraphService(log=log, clock=clock)
    earlier = await service.get_versioned("P")
    await tell(log, clock, "C", TaskMessageReceived())
    again = await service.get_graph("P", as_of=earlier.version)
    del again.annotations["as_of"]
    assert again == earlier.graph


async def test_versions_that_cannot_be_asked_for_say_why(log: Reads, clock: FrozenClock) -> None:
    names = await family(log, clock, 2)
    service = ExecutionGraphService(log=log, clock=clock)
    version = (await service.get_versioned("P")).version
    shallow = (await service.get_versioned("P", depth=0)).version

    async def refusal(task_id: str, as_of: str, of: ExecutionGraphService = service) -> str:
        with pytest.raises(InvalidQuery) as caught:
            await of.get_graph(task_id, as_of=as_of)
        assert caught.value.parameter == "as_of"
        return caught.value.problem

    assert "this version is not of 'child-000'" in await refusal(names[0], version)
    assert "was not made from 'child-000'; ask with the depth" in await refusal("P", shallow)
    assert "is no time, and no version of a graph; use ISO 8601" in await refusal("P", "yesterday")
    log.delete(child(names[1]))
    assert "the stream of 'child-001' does not hold what this version was made from" in await refusal(
        "P", version
    )
    await tell(log, clock, "child-001", TaskMessageReceived())
    log.trim(child("P"), keep=0)
    assert "the stream of 'P' does not hold" in await refusal("P", version)


async def test_a_large_version_that_nobody_remembers_cannot_be_asked_for(
    log: Reads, clock: FrozenClock
) -> None:
    await family(log, clock, 40)
    version = (await ExecutionGraphService(log=log, clock=clock).get_versioned("P")).version
    with pytest.raises(InvalidQuery, match="made from many streams, and which is not known any more"):
        await ExecutionGraphService(log=log, clock=clock).get_graph("P", as_of=version)
