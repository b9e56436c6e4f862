"""Answers from streams and from records: what has expired, sessions by their id, very many runs, and how old it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from msgspec.structs import replace
from observability.read_models.indexed_world import DEFAULT, World, memory_world, store_events

from relayna.clock import FrozenClock
from relayna.errors import ExecutionNotFound
from relayna.events import (
    Body,
    ChildRegistered,
    Envelope,
    RecordedEvent,
    RunEdgeRecorded,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskPublished,
    UsageRecorded,
)
from relayna.ids import AttemptId, EventId, SessionId, TaskId, Tenant
from relayna.instants import Instant, format_instant
from relayna.observability.lineage_gathering import ALL_GENERATIONS, FEW_RUNS, Recorded
from relayna.observability.lineage_service import LineageService
from relayna.observability.read_models import run_records_beside
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.streams import MemoryLog, TaskAddress
from relayna.streams.memory_run_records import MemoryRunRecords
from relayna.streams.run_records import StoredRun
from relayna.testing.scribe import START

pytestmark = pytest.mark.anyio

SECOND = 1_000_000


def told(
    task: str, at: int, name: str, body: Body, *, session: str = "S", **envelope: object
) -> RecordedEvent:
    return RecordedEvent(
        envelope=Envelope(
            event_id=EventId(name),
            timestamp=Instant(START + at * SECOND),
            task_id=TaskId(task),
            session_id=SessionId(session),
            **envelope,  # type: ignore[arg-type]
        ),
        body=body,
    )


def run(
    task: str,
    at: int,
    *,
    parent: str | None = None,
    children: Mapping[str, int] | None = None,
    session: str = "S",
    done: bool = True,
) -> list[RecordedEvent]:
    """One run that asks for some others, and uses a cent."""
    attempt = AttemptId(f"at-{task}")
    events = [
        told(task, at, f"m-{task}.published", TaskPublished(), session=session)
        if parent is None
        else told(
            task, at, f"at-{parent}.to-{task}@{task}", TaskPublished(), session=session,
            attempt_id=AttemptId(f"at-{parent}"), parent_task_id=TaskId(parent),
        ),
        told(
            task, at, f"{attempt}.0", TaskMessageReceived(consumer_name="worker"), session=session, attempt_id=attempt,
            seq=0,
        ),
        told(task, at, f"{attempt}.used", UsageRecorded(cost=10_000, tokens=1), session=session, attempt_id=attempt),
    ]  # fmt: skip
    for child, asked_at in (children or {}).items():
        body = ChildRegistered(child_task_id=TaskId(child), label=f"for {task}")
        events.append(
            told(task, asked_at, f"at-{task}.to-{child}", body, session=session, attempt_id=attempt)
        )
    if done:
        events.append(
            told(task, at + 1, f"{attempt}.1", TaskMessageAcked(), session=session, attempt_id=attempt, seq=1)
        )
    return events


def family() -> list[RecordedEvent]:
    return [
        *run("R1", 0, children={"R2": 1, "R3": 2}), *run("R2", 1, parent="R1", children={"R4": 3}), *run("R3", 2, parent="R1"),
        *run("R4", 3, parent="R2"),
    ]  # fmt: skip


def service(world: World, *, recorded: bool = True) -> LineageService:
    records = run_records_beside(world.log, world.models)
    assert records is not None
    known = Recorded(KnownRuns(records, tenant=DEFAULT), world.progress())
    return LineageService(log=world.log, clock=world.clock, recorded=known if recorded else None)


async def indexed(events: Iterable[RecordedEvent]) -> World:
    world = memory_world()
    await store_events(world.log, events)
    await world.indexer().catch_up()
    return world


def forget(world: World, *tasks: str) -> None:
    """Their streams expire."""
    assert isinstance(world.log, MemoryLog)
    for task in tasks:
        world.log.delete(TaskAddress(TaskId(task)))


async def test_records_say_what_streams_said() -> None:
    world = await indexed(family())
    lineage = service(world)
    before = [
        await lineage.session("S"),
        await lineage.downstream("R1"),
        await lineage.upstream("R4"),
        await lineage.why("R4"),
        await lineage.diff("R1", "R2"),
    ]
    streams_alone = [
        await service(world, recorded=False).session("R1"),
        *[await service(world, recorded=False).downstream("R1")],
    ]
    forget(world, "R1", "R2", "R3", "R4")
    after = [
        await lineage.session("S"),
        await lineage.downstream("R1"),
        await lineage.upstream("R4"),
        await lineage.why("R4"),
        await lineage.diff("R1", "R2"),
    ]

    assert after == before
    assert before[:2] == streams_alone
    assert before[0].stats.total_cost == 40_000  # type: ignore[union-attr]
    assert {edge.label for edge in before[0].edges if edge.kind == "spawn"} == {"for R1", "for R2"}  # type: ignore[union-attr]
    with pytest.raises(ExecutionNotFound):
        await service(world, recorded=False).downstream("R1")


@pytest.mark.parametrize("gone", [["R1"], ["R2"], ["R4"], ["R2", "R3"], ["R1", "R4"]])
async def test_what_has_expired_is_told_by_its_record(gone: list[str]) -> None:
    world = await indexed(family())
    lineage = service(world)
    before = [await lineage.session("S"), await lineage.downstream("R1"), await lineage.why("R4")]
    forget(world, *gone)

    assert [await lineage.session("S"), await lineage.downstream("R1"), await lineage.why("R4")] == before


async def test_a_session_is_found_by_its_id_and_by_any_of_its_runs() -> None:
    world = await indexed([*run("a", 0), *run("b", 1), *run("c", 2, parent="b")])
    lineage = service(world)
    by_id = await lineage.session("S")

    assert by_id.session_id == "S"
    assert [one.run_id for one in by_id.runs] == ["a", "b", "c"]
    assert by_id.stats.root_run_ids == ["a", "b"]
    assert await lineage.session("c") == by_id
    forget(world, "a", "b", "c")
    assert await lineage.session("c") == by_id
    with pytest.raises(ExecutionNotFound):
        await lineage.session("nobody")


async def test_streams_win_over_records() -> None:
    world = await indexed([*run("a", 0, children={"b": 1}, done=False), *run("b", 1, parent="a")])
    end = run("a", 0)[-1]
    await store_events(world.log, [end, *run("d", 5, parent="a"), *run("a", 0, children={"d": 5})[-2:-1]])
    found = await service(world).session("S")

    statuses = {one.run_id: one.status for one in found.runs}
    assert statuses == {"a": "completed", "b": "completed", "d": "completed"}


async def test_an_edge_that_only_its_target_tells_is_found_from_its_source() -> None:
    fired = RunEdgeRecorded(kind="signal_fire", source_run=TaskId("a"), target_run=TaskId("b"))
    world = await indexed([*run("a", 0), told("b", 5, "fired", fired), *run("b", 5)])
    found = await service(world).downstream("a")

    assert [edge.kind for edge in found.edges] == ["signal_fire"]
    assert (await service(world, recorded=False).downstream("a")).edges == []


async def test_walks_go_on_into_other_sessions() -> None:
    bridge = RunEdgeRecorded(kind="cross_session_bridge", source_run=TaskId("b"), target_run=TaskId("x"))
    told_twice = [told("x", 5, "bridge", bridge, session="T"), told("b", 5, "bridge@b", bridge)]
    world = await indexed(
        [
            *run("a", 0, children={"b": 1}), *run("b", 1, parent="a"), *told_twice, *run("x", 5, children={"y": 6}, session="T"),
            *run("y", 6, parent="x", session="T"),
        ]
    )  # fmt: skip
    lineage = service(world)
    before = [await lineage.downstream("a"), await lineage.why("y"), await lineage.session("S")]
    forget(world, "a", "b", "x", "y")

    assert [edge.target_run for edge in before[0].edges] == ["b", "x", "y"]  # type: ignore[union-attr]
    assert [hop.edge.kind for hop in before[1].births] == [
        "spawn",
        "cross_session_bridge",
        "spawn",
        "user_start",
    ]  # type: ignore[union-attr]
    assert [await lineage.downstream("a"), await lineage.why("y"), await lineage.session("S")] == before


async def test_a_session_as_it_was_is_told_by_records_too() -> None:
    world = await indexed(family())
    moment = format_instant(Instant(START + 2 * SECOND))
    before = await service(world).session("S", at=moment)
    forget(world, "R1", "R2", "R3", "R4")
    after = await service(world).session("S", at=moment)

    assert [one.run_id for one in after.runs] == ["R1", "R2", "R3"] == [one.run_id for one in before.runs]
    assert [edge.edge_id for edge in after.edges] == [edge.edge_id for edge in before.edges]
    assert [one.status for one in after.runs] == ["completed", "completed", "running"]


def many(count: int) -> list[RecordedEvent]:
    """A root with a chain of runs below it, ten abreast."""
    names = [f"r{number:04}" for number in range(count)]
    parents: dict[str, dict[str, int]] = {}
    for number, name in enumerate(names[1:], 1):
        parents.setdefault(names[max(0, number - 10)], {})[name] = number
    parent_of = {child: parent for parent, children in parents.items() for child in children}
    return [
        event
        for number, name in enumerate(names)
        for event in run(name, number, parent=parent_of.get(name), children=parents.get(name))
    ]


async def test_very_many_runs_are_read_from_records_and_what_has_changed_since_from_streams() -> None:
    count = FEW_RUNS * 3
    world = await indexed(many(count))
    expected = await service(world, recorded=False).session("r0000")
    late = [*run("r0000", 0, children={"late": count})[3:4], *run("late", count, parent="r0000")]
    await store_events(world.log, late)
    whole = await service(world).session("S")
    down = await service(world).downstream("r0000", max_hops=50)

    assert whole.stats.run_count == count + 1
    assert whole.stats.edge_count == expected.stats.edge_count + 1
    assert (whole.missing, whole.as_of, whole.lag_ms) == ([], None, None)
    assert "late" in {one.run_id for one in down.nodes}
    before = {one.run_id: one for one in expected.runs}
    assert {one.run_id: one for one in whole.runs if one.run_id != "late"} == before


async def test_when_too_much_has_changed_the_answer_says_how_old_it_is() -> None:
    world = await indexed(many(FEW_RUNS + 1))
    assert isinstance(world.clock, FrozenClock)
    await store_events(
        world.log, [event for n in range(FEW_RUNS + 1) for event in run(f"x{n}", n, session="X")[:2]]
    )
    world.clock.advance(90)
    found = await service(world).session("S")

    assert found.stats.run_count == FEW_RUNS + 1
    assert (found.as_of, found.lag_ms) == (format_instant(START), 90_000)


async def test_a_session_says_how_old_it_is_when_new_runs_may_be_missing() -> None:
    world = await indexed(family())
    assert isinstance(world.clock, FrozenClock)
    assert (await service(world).session("S")).lag_ms is None
    await store_events(world.log, run("elsewhere", 9))
    world.clock.advance(5)
    found = await service(world).session("S")

    assert (found.lag_ms, len(found.runs)) == (5_000, 4)


async def test_records_that_cannot_be_read_are_passed_over_and_counted() -> None:
    world = await indexed(family())
    records = run_records_beside(world.log, world.models)
    assert records is not None
    stored = await records.of_run(TaskAddress(TaskId("R3")))
    assert stored is not None
    spoiled = replace(stored, data=b"\xff", expires_at=Instant(stored.expires_at + 1))
    assert isinstance(spoiled, StoredRun)
    await records.restore([spoiled])
    counted: list[int] = []

    class Counting:
        def increment(self, name: str, by: int = 1, **labels: str) -> None:
            counted.append(by)

    known = KnownRuns(records, tenant=DEFAULT, counters=Counting())
    assert [kept.run.run_id for kept in await known.of_session("S")] == ["R1", "R2", "R4"]
    assert await known.of_run("R3") is None
    assert counted == [1, 1]


async def test_without_any_record_very_many_runs_are_read_from_streams() -> None:
    world = memory_world()
    await store_events(world.log, many(FEW_RUNS * 3))
    found = await service(world).session("r0000")

    assert (found.stats.run_count, found.missing, found.as_of) == (FEW_RUNS * 3, [], None)
    assert (await service(world).downstream("r0000", max_hops=50)).missing == []


async def test_a_very_large_session_is_found_by_any_of_its_runs() -> None:
    world = await indexed(many(FEW_RUNS + 50))
    by_id, by_run = await service(world).session("S"), await service(world).session("r0349")

    assert by_id.stats.run_count == FEW_RUNS + 50
    assert by_run == by_id


async def test_what_few_streams_tell_asks_no_records() -> None:
    world = await indexed(many(FEW_RUNS + 50))

    class Unasked(MemoryRunRecords):
        async def of_session(self, tenant: Tenant, session_id: str) -> list[StoredRun]:
            raise AssertionError(session_id)

    recorded = Recorded(KnownRuns(Unasked(), tenant=DEFAULT), world.progress())
    lineage = LineageService(log=world.log, clock=world.clock, recorded=recorded)
    assert len((await lineage.why("r0349")).births) == 36
    assert len((await lineage.upstream("r0349", max_hops=3)).hops) == 3


async def test_a_chain_longer_than_few_streams_is_told_to_its_end() -> None:
    names = [f"c{number:03}" for number in range(FEW_RUNS + 20)]
    events = [
        event
        for number, name in enumerate(names)
        for event in run(
            name, number, parent=names[number - 1] if number else None,
            children=dict([(names[number + 1], number + 1)] if number + 1 < len(names) else []),
        )
    ]  # fmt: skip
    world = await indexed(events)
    chain = await service(world).why(names[-1])

    assert (len(chain.births), chain.origin, chain.missing) == (len(names), names[0], [])
    forget(world, *names[:-1])
    assert await service(world).why(names[-1]) == chain


async def test_a_run_heard_of_again_when_its_stream_was_gone_keeps_its_birth() -> None:
    world = memory_world()
    await store_events(world.log, family())
    indexer = world.indexer()
    await indexer.catch_up()
    forget(world, "R2")
    again = AttemptId("again")
    late = 8 * 86_400
    await store_events(
        world.log,
        [
            told("R2", late, "again.0", TaskMessageReceived(consumer_name="worker"), attempt_id=again, seq=0),
            told("R2", late, "again.used", UsageRecorded(cost=5), attempt_id=again),
        ],
    )
    await indexer.catch_up()
    for gone in ([], ["R1"], ["R1", "R2", "R3", "R4"]):
        forget(world, *gone)
        found = await service(world).session("S")
        of_it = [(edge.kind, edge.cost_attributed) for edge in found.edges if edge.target_run == "R2"]

        assert of_it == [("spawn", 10_000), ("retry", 5)]
        assert {one.run_id: one.status for one in found.runs}["R2"] == "running"
        assert found.stats.root_run_ids == ["R1"]
        assert [hop.edge.target_run for hop in (await service(world).why("R4")).births] == ["R4", "R2", "R1"]


@pytest.mark.parametrize("recorded", [True, False], ids=["with records", "of streams alone"])
async def test_a_session_before_one_of_its_runs_is_found_by_that_run(recorded: bool) -> None:
    world = await indexed(family())
    moment = format_instant(Instant(START + SECOND))
    by_root = await service(world, recorded=recorded).session("R1", at=moment)

    assert [one.run_id for one in by_root.runs] == ["R1", "R2"]
    assert await service(world, recorded=recorded).session("R4", at=moment) == by_root


async def test_a_stream_whose_ids_are_not_our_own_is_not_taken_for_one_begun_anew() -> None:
    begun = TaskMessageReceived(consumer_name="worker")
    world = await indexed(
        [told("a", 0, "some@one.begun", begun), told("a", 1, "some@one.used", UsageRecorded(cost=7))]
    )
    await store_events(world.log, [told("a", 2, "some@one.used again", UsageRecorded(cost=3))])
    found = await service(world).session("S")

    assert [(edge.kind, edge.cost_attributed) for edge in found.edges] == [("user_start", 10)]


async def test_a_chain_without_records_that_is_deeper_than_is_read_says_so() -> None:
    world = memory_world()
    for number in range(ALL_GENERATIONS + 3):
        parent = None if number == 0 else f"r{number - 1}"
        await store_events(
            world.log, run(f"r{number}", number, parent=parent, children={f"r{number + 1}": number})
        )
    answering = LineageService(log=world.log)
    session = await answering.session("r0")
    assert (session.stats.run_count > ALL_GENERATIONS, session.missing) == (True, ["limit_reached"])
    last = f"r{ALL_GENERATIONS + 2}"
    assert (await answering.why(last)).missing == ["limit_reached"]
    assert (await answering.upstream(last, max_hops=3)).missing == []
