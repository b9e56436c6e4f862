"""Questions about messages: filters, pages, chains, what is found without a session, and readers that race workers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import anyio
import pytest
from msgspec.structs import replace
from observability.kept_histories import keep
from observability.read_models.indexed_world import World, memory_world, store_events
from observability.recorded_run_steps import some_run
from projections.messages.session_x import rows_by_task, session_x
from servers import StoreUnderTest

from relayna.errors import ExecutionNotFound, InvalidQuery
from relayna.events import Event, RecordedEvent, encode_event, encode_frame
from relayna.ids import SessionId, TaskId, Tenant
from relayna.instants import Instant
from relayna.observability.message_service import MessageLineageService, MessageNotFound
from relayna.observability.message_told import ChainTold, MessagesWanted, MessageTold
from relayna.observability.read_models import run_records_beside
from relayna.observability.run_records.encoding import KeptRun
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.streams import Append, Log, MemoryLog, StreamPage, StreamRange, TaskAddress
from relayna.streams.redis import RedisLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

X = session_x()[-1]
IDS = {name: row.id for name, row in rows_by_task(X).items()}


@pytest.fixture(scope="module")
async def world() -> World:
    """Session X, whose id is no task's, and a task of another session; indexed."""
    made = memory_world()
    await store_events(made.log, X)
    await store_events(made.log, history("other").published().attempt().acked().events)
    await made.indexer().catch_up()
    return made


@pytest.fixture
def service(world: World) -> MessageLineageService:
    return MessageLineageService(log=world.log, lists=world.lists(), runs=world.runs())


def names(messages: Iterable[MessageTold]) -> list[str]:
    return [message.task_id for message in messages]


async def test_the_worked_case(service: MessageLineageService) -> None:
    told = await service.statistics("X")
    counts = [(one.handler, one.count, one.completed, one.failed) for one in told.handlers]
    assert counts == [("a1", 1, 1, 0), ("a2", 3, 2, 1), ("a3", 2, 2, 0)]
    chain = await service.chain(IDS["L2c"], session="X")
    assert (names(chain.ancestors), chain.descendants) == (["L1"], [])
    [failed] = (await service.failures("X")).messages
    assert failed.error is not None
    assert (failed.task_id, failed.error.exception_class, failed.error.message) == ("L2c", "KeyError", "'id'")
    first = (await service.message(IDS["L1"], session="X")).message
    assert (first.done, first.pending_children, first.subtree_done) == (True, 0, True)
    assert names((await service.children(IDS["L1"], session="X")).messages) == ["L2a", "L2b", "L2c"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (MessagesWanted(status="failed"), ["L2c"]),
        (MessagesWanted(handler="a3"), ["L3a", "L3b"]),
        (MessagesWanted(is_root=True), ["L1"]),
        (MessagesWanted(is_root=False, handler="a2"), ["L2a", "L2b", "L2c"]),
        (MessagesWanted(route="r1", status="pending"), []),
        (MessagesWanted(route="r2"), []),
    ],
)
async def test_filters(service: MessageLineageService, wanted: MessagesWanted, expected: list[str]) -> None:
    found = await service.messages(replace(wanted, session="X"))
    assert (sorted(names(found.messages)), found.total, found.next) == (expected, len(expected), None)


async def test_filters_by_time(service: MessageLineageService) -> None:
    every = (await service.messages(MessagesWanted(session="X", newest_first=False))).messages
    third = rows_by_task(X)[every[2].task_id].started_at
    after = await service.messages(MessagesWanted(session="X", started_after=third))
    before = await service.messages(MessagesWanted(session="X", started_before=third))
    assert (after.total, before.total) == (4, 2)


@pytest.mark.parametrize("sort", ["started_at", "completed_at"])
@pytest.mark.parametrize("newest_first", [True, False])
async def test_pages_neither_skip_nor_repeat(
    service: MessageLineageService, sort: str, *, newest_first: bool
) -> None:
    wanted = MessagesWanted(session="X", sort=sort, newest_first=newest_first)
    whole = (await service.messages(wanted)).messages
    times = [getattr(one, sort) for one in whole]
    assert times == sorted(times, reverse=newest_first)
    paged: list[MessageTold] = []
    cursor = None
    for _ in range(3):
        page = await service.messages(replace(wanted, limit=2, cursor=cursor))
        assert page.total == 6
        paged += page.messages
        cursor = page.next
    assert (paged, cursor) == (whole, None)
    first = await service.messages(replace(wanted, limit=2))
    with pytest.raises(InvalidQuery, match="another question"):
        await service.messages(replace(wanted, status="failed", cursor=first.next))


@pytest.mark.parametrize(
    "wanted",
    [
        MessagesWanted(sort="colour"),
        MessagesWanted(status="odd"),
        MessagesWanted(limit=0),
        MessagesWanted(limit=1_001),
    ],
)
async def test_what_is_no_question_is_refused(service: MessageLineageService, wanted: MessagesWanted) -> None:
    with pytest.raises(InvalidQuery):
        await service.messages(wanted)


async def test_without_a_session_recent_tasks_are_looked_at(service: MessageLineageService) -> None:
    found = await service.messages(MessagesWanted())
    assert (found.total, found.missing) == (7, [])
    assert "other" in names(found.messages)
    assert [one.task_id for one in (await service.failures()).messages] == ["L2c"]
    assert sum(one.count for one in (await service.statistics()).handlers) == 7


async def test_a_message_is_found_by_its_id_alone(service: MessageLineageService) -> None:
    chain = await service.chain(IDS["L3a"])
    assert names(chain.ancestors) == ["L2a", "L1"]
    assert names((await service.chain(IDS["L3a"], task_id="L2b")).ancestors) == ["L2a", "L1"]
    with pytest.raises(MessageNotFound, match="Name its session or its task"):
        await service.message("nobody")
    for where in ({"session": "X"}, {"task_id": "other"}):
        with pytest.raises(MessageNotFound, match="whether it is of another session"):
            await service.message("nobody", **where)


async def test_people_may_name_the_beginning_of_an_id(service: MessageLineageService) -> None:
    whole = IDS["L3a"]
    for where in ({}, {"session": "X"}, {"task_id": "L1"}):
        with pytest.raises(InvalidQuery, match="give more of one"):
            await service.message(whole[:6], beginning=True, **where)
        assert (await service.message(whole, beginning=True, **where)).message.id == whole
        with pytest.raises(MessageNotFound):
            await service.message(whole[:-1] + "x", beginning=True, **where)
    with pytest.raises(MessageNotFound):
        await service.message(whole[:-1], session="X")


async def test_older_tasks_are_left_out_and_that_is_said(
    world: World, service: MessageLineageService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayna.observability.message_reading.MOST_LISTED", 2)
    monkeypatch.setattr("relayna.observability.message_reading.RECENT_TASKS", 4)
    found = await service.messages(MessagesWanted())
    assert found.missing == ["older_tasks"]
    assert found.total < 7


def in_campaign(events: Iterable[RecordedEvent]) -> list[RecordedEvent]:
    """The same in a session that has a name of its own."""
    session = SessionId("campaign-1")
    return [replace(one, envelope=replace(one.envelope, session_id=session)) for one in events]


@pytest.mark.parametrize("has_records", [True, False])
async def test_any_run_of_a_session_names_it(*, has_records: bool) -> None:
    made = memory_world()
    page = history("order-7").published().attempt().spawns("report-7").attempt().acked()
    await store_events(made.log, page.events)
    for name in ("pay-1", "pay-2"):
        events = history(name).published().attempt().acked().events
        await store_events(made.log, in_campaign(events))
    if has_records:
        await made.indexer().catch_up()
    service = MessageLineageService(log=made.log, runs=made.runs() if has_records else None)
    for session in ("order-7", "report-7"):
        found = await service.messages(MessagesWanted(session=session))
        assert sorted(names(found.messages)) == ["order-7", "report-7"]
        assert {one.session_id for one in found.messages} == {"order-7"}
    found = await service.messages(MessagesWanted(session="pay-1"))
    assert sorted(names(found.messages)) == (["pay-1", "pay-2"] if has_records else ["pay-1"])
    assert {one.session_id for one in found.messages} == {"campaign-1"}


async def test_a_run_whose_stream_is_gone_still_names_its_session(world: World) -> None:
    class Runs(KnownRuns):
        async def of_run(self, run_id: str) -> KeptRun | None:
            return KeptRun(some_run(run_id, Instant(1), session_id="X"), ()) if run_id == "gone" else None

    records = run_records_beside(world.log, world.models)
    assert records is not None
    service = MessageLineageService(log=world.log, runs=Runs(records, tenant=Tenant("default")))
    assert (await service.messages(MessagesWanted(session="gone"))).total == 6
    with pytest.raises(ExecutionNotFound):
        await service.messages(MessagesWanted(session="nobody"))


async def test_nobody_is_not_found(service: MessageLineageService) -> None:
    with pytest.raises(ExecutionNotFound):
        await service.messages(MessagesWanted(session="nobody"))
    with pytest.raises(ExecutionNotFound):
        await service.message("m", task_id="nobody")
    with pytest.raises(MessageNotFound):
        await service.batch("nothing", "X")


async def test_without_lists_a_session_must_be_named() -> None:
    log = MemoryLog()
    await keep(log, history("L1").published().attempt().acked().events)
    service = MessageLineageService(log=log)
    with pytest.raises(InvalidQuery, match="name one"):
        await service.messages(MessagesWanted())
    found = await service.messages(MessagesWanted(session="L1"))
    assert [(one.status, one.done) for one in found.messages] == [("completed", True)]


async def test_a_session_without_messages_is_empty() -> None:
    log = MemoryLog()
    await keep(log, history("L1").status("odd").events)
    service = MessageLineageService(log=log)
    assert (await service.messages(MessagesWanted(session="L1"))).total == 0


READERS = 1_000
SESSIONS = 5


async def test_a_thousand_racing_readers_never_see_done_before_the_last_child_is_registered(
    any_store: StoreUnderTest,
) -> None:
    """Streams grow in any order among each other, each by itself in its own; readers read all the while."""
    seen: list[ChainTold] = []
    async with RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4) as log:
        for number in range(SESSIONS):
            tenant, begun = Tenant(f"tenant-{number}"), anyio.Event()
            service = MessageLineageService(log=log, tenant=tenant)
            async with anyio.create_task_group() as racing:
                racing.start_soon(write, log, tenant, random.Random(number), begun)
                for _ in range(READERS // SESSIONS):
                    racing.start_soon(read_to_the_end, service, begun, seen)
    states = {(chain.message.done, chain.message.pending_children) for chain in seen}
    assert len(seen) > READERS
    assert (True, 0) in states
    assert {pending for done, pending in states if not done} >= {1, 2, 3}
    for chain in seen:
        if chain.message.done:
            children = [one for one in chain.descendants if one.parent_id == chain.message.id]
            assert len(children) == 3


async def write(log: Log, tenant: Tenant, chance: random.Random, begun: anyio.Event) -> None:
    """Append what is recorded of session X, one event a time; whose stream grows next is up to chance."""
    waiting: dict[TaskId, list[RecordedEvent]] = {}
    for event in X:
        waiting.setdefault(event.envelope.task_id, []).append(event)
    task_id = TaskId("L1")
    while waiting:
        event = waiting[task_id].pop(0)
        said = encode_event(Event(envelope=event.envelope, body=event.body))
        await log.append([Append(TaskAddress(task_id, tenant), encode_frame(task_id, None, 0, [said]))])
        begun.set()
        waiting = {task_id: events for task_id, events in waiting.items() if events}
        task_id = chance.choice([*waiting, task_id])
        task_id = task_id if task_id in waiting else next(iter(waiting), task_id)


async def read_to_the_end(service: MessageLineageService, begun: anyio.Event, seen: list[ChainTold]) -> None:
    await begun.wait()
    is_over = False
    while not is_over:
        chain = await service.chain(IDS["L1"], task_id="L1")
        seen.append(chain)
        is_over = chain.message.subtree_done


@pytest.mark.parametrize(("generations", "missing"), [(3, ["limit_reached"]), (4, [])])
async def test_a_chain_that_is_deeper_than_is_read_says_so(
    generations: int, missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayna.observability.message_reading._GENERATIONS", generations)
    log = MemoryLog()
    await keep(log, a_chain(5))
    known = await MessageLineageService(log=log).messages(MessagesWanted(session="t0"))
    assert (known.total, known.missing) == (5, missing)  # the last one is known by who asked for it


def a_chain(length: int) -> list[RecordedEvent]:
    """Each task asks for the next."""
    first = told = history("t0").published()
    for number in range(1, length):
        attempt = told.attempt()
        told = attempt.spawns(f"t{number}")
        attempt.acked()
    told.attempt().acked()
    return first.events


class CountedLog(MemoryLog):
    reads = 0

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        self.reads += 1
        return await super().read(ranges)


async def test_recent_tasks_that_are_gone_are_looked_for_at_once() -> None:
    made = memory_world()
    for number in range(30):
        await store_events(made.log, history(f"t{number}").published().attempt().acked().events)
    await made.indexer().catch_up()
    emptied = CountedLog()
    assert (await MessageLineageService(log=emptied, lists=made.lists()).statistics()).handlers == []
    assert emptied.reads == 1


async def test_runs_of_a_session_whose_histories_are_gone_are_told() -> None:
    world = memory_world()
    assert isinstance(world.log, MemoryLog)
    await store_events(world.log, X)
    await world.indexer().catch_up()
    asked = MessageLineageService(log=world.log, runs=world.runs())
    wanted = MessagesWanted(session="X")
    whole = await asked.messages(wanted)
    gone = TaskId(whole.messages[0].task_id)
    world.log.delete(TaskAddress(gone))
    found = await asked.messages(wanted)

    assert whole.missing == []
    assert found.missing == ["expired"]
    assert gone not in {one.task_id for one in found.messages if one.handler is not None}
