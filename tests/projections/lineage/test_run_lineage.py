"""Runs and edges out of what was recorded: births, retries, costs, times and sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from relayna.events import (
    Envelope,
    RecordedEvent,
    RunEdgeRecorded,
    StatusPublished,
    TaskMessageReceived,
    TaskPublished,
    UsageRecorded,
)
from relayna.ids import AttemptId, EventId, SessionId, TaskId
from relayna.instants import Instant
from relayna.projections.execution import GraphQuery
from relayna.projections.lineage.run_edges import RunEdge, RunEdgeKind, RunLineage, dollars
from relayna.projections.lineage.run_lineage import RUN_LINEAGE
from relayna.projections.lineage.session_graph import downstream_graph, session_graph
from relayna.projections.lineage.walks import birth_chain, walk_up
from relayna.projections.projection import Item
from relayna.testing import history

SECOND = 1_000_000
SPAWNS: tuple[RunEdgeKind, ...] = ("spawn",)


def lineage(items: Iterable[Item], root: str = "R1", query: GraphQuery | None = None) -> RunLineage:
    state = RUN_LINEAGE.initial(TaskId(root))
    for item in items:
        RUN_LINEAGE.apply(state, item)
    return RUN_LINEAGE.finish(state, query or GraphQuery())


def told(task_id: str, at: int, body: Any, name: str | None = None, **envelope: Any) -> RecordedEvent:
    """An event of a task, so many seconds after zero."""
    given = {"session_id": SessionId("S"), **envelope}
    known = Envelope(
        event_id=EventId(name or f"{task_id}.{type(body).__name__}.{at}"),
        timestamp=Instant(at * SECOND),
        task_id=TaskId(task_id),
        **given,
    )
    return RecordedEvent(envelope=known, body=body)


def recorded(
    kind: str, source: str | None, target: str, at: int, *, cents: int = 0, tokens: int = 0
) -> RecordedEvent:
    body = RunEdgeRecorded(
        kind=kind, target_run=TaskId(target), source_run=None if source is None else TaskId(source),
        cost_attributed=cents * 10_000, tokens_attributed=tokens,
    )  # fmt: skip
    return told(target, at, body, f"{kind}.{target}.{at}")


def received(task_id: str, at: int, attempt: str) -> RecordedEvent:
    body = TaskMessageReceived(consumer_name="worker")
    return told(task_id, at, body, f"{attempt}.0", attempt_id=AttemptId(attempt), seq=0)


def edges_of(found: RunLineage) -> list[tuple[str, str | None, str]]:
    return [(edge.kind, edge.source, edge.target) for edge in found.edges]


def session_s() -> list[RecordedEvent]:
    """The worked case: its retry is told by attempts, and what the second one used by itself."""
    used = UsageRecorded(cost=20_000, tokens=20)
    return [
        recorded("user_start", None, "R1", 0),
        recorded("spawn", "R1", "R2", 1, cents=10, tokens=100),
        recorded("spawn", "R1", "R3", 2, cents=20, tokens=200),
        recorded("spawn", "R2", "R4", 3, cents=3, tokens=30),
        received("R4", 3, "a"),
        received("R4", 4, "b"),
        told("R4", 4, used, "b.1", attempt_id=AttemptId("b"), seq=1),
        recorded("resume", "R2", "R1", 5),
        recorded("signal_fire", "R3", "R5", 6, cents=1, tokens=10),
        recorded("timer_fire", None, "R1", 7),
        recorded("cross_session_bridge", "R0", "R6", 8),
        told("R0", 0, TaskPublished(), session_id=SessionId("S0")),
    ]


def test_the_worked_session_as_a_graph() -> None:
    found = lineage(session_s())
    stats = session_graph(found, "S").stats
    assert (stats.run_count, stats.edge_count, dollars(stats.total_cost)) == (6, 9, "0.3600")
    assert (stats.total_tokens, stats.root_run_ids) == (360, ["R1", "R6"])
    then = session_graph(found, "S", at=Instant(4 * SECOND))
    assert (len(then.edges), {end for edge in then.edges for end in (edge.source, edge.target) if end}) == (
        5,
        {"R1", "R2", "R3", "R4"},
    )
    assert len(session_graph(found, "S0").edges) == 2


def test_the_worked_session_walked() -> None:
    found = lineage(session_s())
    down = downstream_graph(found, "R1")
    assert (down.counts.total_runs, down.counts.total_edges) == (5, 7)
    spawned = downstream_graph(found, "R1", kinds=SPAWNS)
    assert (spawned.counts.total_runs, spawned.counts.total_edges) == (4, 3)
    assert dollars(spawned.cost_total) == "0.3300"
    up = [(hop.hop, hop.edge.kind) for hop in walk_up(found.edges, "R4").hops]
    assert sorted(up) == [(1, "retry"), (1, "spawn"), (2, "spawn"), (3, "user_start")]
    assert [(one.kind, one.source) for one in birth_chain(found.edges, "R4")] == [
        ("spawn", "R2"),
        ("spawn", "R1"),
        ("user_start", None),
    ]


def family() -> Sequence[RecordedEvent]:
    """A parent, a child that is retried and a grandchild that fails, told by their workers alone."""
    parent = history("R1").published(task_type="order").attempt()
    child = parent.spawns("R2").attempt().fails().retried().attempt()
    grandchild = child.spawns("R3").attempt().fails("KeyError", "id").dead_lettered()
    child.acked()
    parent.acked()
    return grandchild.events


def test_what_workers_tell_anyway_is_enough() -> None:
    found = lineage(family())
    assert edges_of(found) == [
        ("user_start", None, "R1"),
        ("spawn", "R1", "R2"),
        ("retry", "R2", "R2"),
        ("spawn", "R2", "R3"),
    ]
    assert {run_id: run.status for run_id, run in found.runs.items()} == {
        "R1": "completed",
        "R2": "completed",
        "R3": "dead_lettered",
    }
    assert found.runs["R1"].workflow == "order"
    assert {run.session_id for run in found.runs.values()} == {"R1"}
    assert all(run.started_at is not None and run.ended_at is not None for run in found.runs.values())


@pytest.mark.parametrize("lost", ["R1", "R2"])
def test_a_dispatch_is_known_from_either_stream(lost: str) -> None:
    kept = [event for event in family() if event.envelope.task_id != lost]
    assert ("spawn", "R1", "R2") in edges_of(lineage(kept))


def test_no_edge_is_earlier_than_what_led_to_it_however_wrong_clocks_are() -> None:
    parent = history("R1").published().attempt(skew=7_200)
    child = parent.spawns("R2").attempt(skew=-3_600)
    events = child.spawns("R3").attempt(skew=-7_200).acked().events
    found = lineage(events)
    down = downstream_graph(found, "R1")
    assert [edge.kind for edge in down.edges] == ["spawn", "spawn"]
    times = [edge.at for edge in found.edges if edge.is_birth]
    assert times == sorted(times)


def births(found: RunLineage, run_id: str) -> list[RunEdge]:
    return [edge for edge in found.edges if edge.target == run_id and edge.is_birth]


def test_a_parent_that_is_only_named_is_a_fallback() -> None:
    found = lineage([told("R2", 1, TaskPublished(), parent_task_id=TaskId("R1"))])
    [birth] = births(found, "R2")
    assert (birth.kind, birth.source, birth.edge_id) == ("span_tree_fallback", "R1", "R2.TaskPublished.1")


@pytest.mark.parametrize("kind", ["spawn", "signal_fire", "replayed_from", "cross_session_bridge"])
def test_a_recorded_birth_is_the_only_one(kind: str) -> None:
    found = lineage([*family(), recorded(kind, "R9", "R2", 0), recorded(kind, "R8", "R2", 5)])
    [birth] = births(found, "R2")
    assert (birth.kind, birth.source) == (kind, "R9")


def test_a_signal_from_nowhere_is_a_start() -> None:
    assert edges_of(lineage([recorded("signal_fire", None, "R1", 0)])) == [("user_start", None, "R1")]


def test_a_callback_that_wakes_gives_no_birth() -> None:
    woken = RunEdgeRecorded(kind="domain_callback", target_run=TaskId("R1"), wakes=True)
    found = lineage([told("R1", 0, TaskPublished()), told("R1", 1, woken)])
    assert [(edge.kind, edge.is_birth) for edge in found.edges] == [
        ("user_start", True),
        ("domain_callback", False),
    ]


@pytest.mark.parametrize("kind", ["retry", "span_tree_fallback", "dreamt"])
def test_what_cannot_be_recorded_is_no_edge(kind: str) -> None:
    assert edges_of(lineage([recorded(kind, "R2", "R1", 0)])) == []


def test_an_edge_told_in_two_streams_is_one() -> None:
    one = RunEdgeRecorded(kind="resume", target_run=TaskId("R1"), source_run=TaskId("R2"))
    events = [told("R1", 1, one, "a.1"), told("R2", 1, one, "a.1@R2")]
    assert edges_of(lineage(events)) == [("resume", "R2", "R1")]


def test_each_unit_is_charged_once() -> None:
    def used(attempt: str, seq: int, cost: int) -> RecordedEvent:
        body = UsageRecorded(cost=cost, tokens=cost)
        return told("R1", seq, body, f"{attempt}.{seq}", attempt_id=AttemptId(attempt), seq=seq)

    events = [
        told("R1", 0, TaskPublished()),
        *(received("R1", at, attempt) for at, attempt in enumerate("abc", 1)),
        used("a", 1, 5), used("a", 2, 7), used("b", 1, 11), used("c", 1, -3), used("c", 2, 2**62),
    ]  # fmt: skip
    found = lineage(events)
    costs = [(edge.kind, edge.cost_attributed, edge.tokens_attributed) for edge in found.edges]
    assert costs == [("user_start", 12, 12), ("retry", 11, 11), ("retry", 2**53, 2**53)]


def test_stages_are_steps_and_not_retries() -> None:
    first = history("R1").enters("fetch").attempt()
    message, other = first.sends("parse"), first.sends("parse")
    first.acked()
    first.task.attempt(message).fails().retried().attempt().acked()
    events = first.task.attempt(other).acked().events
    assert [edge.kind for edge in lineage(events).edges] == ["user_start", "retry"]


def test_a_run_without_a_session_is_of_its_parents() -> None:
    spawned = RunEdgeRecorded(kind="spawn", source_run=TaskId("R1"), target_run=TaskId("R2"))
    found = lineage([told("R1", 1, spawned), *history("R2").sent_by_others().attempt().events])
    assert found.runs["R1"].session_id == found.runs["R2"].session_id == "S"
    assert {edge.session_id for edge in found.edges} == {"S"}


def test_as_of_a_time() -> None:
    found = lineage(session_s(), query=GraphQuery(at=Instant(2 * SECOND)))
    assert {"R1", "R2", "R3"} <= found.runs.keys()
    assert "R4" not in found.runs


def test_a_status_of_the_users_own_ends_a_run_where_it_is_said_to() -> None:
    events = [told("R1", 0, TaskPublished()), told("R1", 1, StatusPublished(status="shipped"))]
    assert lineage(events).runs["R1"].ended_at is None
    run = lineage(events, query=GraphQuery(terminal_statuses=("shipped",))).runs["R1"]
    assert (run.status, run.ended_at) == ("shipped", SECOND)
