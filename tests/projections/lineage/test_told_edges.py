"""What single facts say of births: words of a spawn, bridges, replays, and whose session a run is of."""

from __future__ import annotations

import itertools

import pytest
from projections.lineage.told_facts import lineage, told

from relayna.events import (
    ChildFinished,
    ChildRegistered,
    RecordedEvent,
    RunEdgeRecorded,
    TaskMessageReceived,
    TaskPublished,
)
from relayna.ids import AttemptId, TaskId
from relayna.projections.lineage.session_graph import session_graph

R1, R2 = TaskId("R1"), TaskId("R2")
ATTEMPT = AttemptId("a")

RECEIVED = told("R1", 1, TaskMessageReceived(), "a.0", attempt_id=ATTEMPT, seq=0)
REGISTERED = told(
    "R1",
    2,
    ChildRegistered(child_task_id=R2, variant="handoff", group_key="box", label="to the store"),
    "a.1",
    attempt_id=ATTEMPT,
    seq=1,
)


def dispatched(session: str) -> RecordedEvent:
    return told("R2", 2, TaskPublished(), "a.1@R2", session=session, parent_task_id=R1)


def edge(kind: str) -> RunEdgeRecorded:
    return RunEdgeRecorded(kind=kind, source_run=R1, target_run=R2, label="told", group_key="box")


@pytest.mark.parametrize("events", list(itertools.permutations([RECEIVED, REGISTERED, dispatched("S")])))
def test_the_words_of_a_spawn_are_on_its_edge_whichever_stream_is_read_first(
    events: tuple[RecordedEvent, ...],
) -> None:
    [birth] = [one for one in lineage(events).edges if one.target == "R2"]
    assert (birth.kind, birth.source, birth.edge_id) == ("spawn", "R1", "a.1")
    assert (birth.variant, birth.group_key, birth.label) == ("handoff", "box", "to the store")


def test_a_spawn_of_which_only_the_childs_stream_is_left_has_no_words() -> None:
    [birth] = lineage([dispatched("S")]).edges
    assert (birth.kind, birth.source, birth.variant) == ("spawn", "R1", None)


def test_a_child_in_another_session_is_born_by_a_bridge_shown_in_both() -> None:
    bridge = edge("cross_session_bridge")
    events = [
        RECEIVED,
        REGISTERED,
        told("R1", 2, bridge, "a.lineage.1", attempt_id=ATTEMPT),
        dispatched("S2"),
        told("R2", 2, bridge, "a.lineage.1@R2", session=None),
    ]
    found = lineage(events)
    assert (found.runs["R1"].session_id, found.runs["R2"].session_id) == ("S", "S2")
    of_both = [session_graph(found, session) for session in ("S", "S2")]
    shown = [[(one.kind, one.source, one.group_key) for one in graph.edges] for graph in of_both]
    assert shown[0][-1] == ("cross_session_bridge", "R1", "box")
    assert shown[1] == [("cross_session_bridge", "R1", "box")]
    assert [graph.stats.root_run_ids for graph in of_both] == [["R1"], ["R2"]]


def test_what_is_left_with_a_parent_says_nothing_of_its_session() -> None:
    """A recorder leaves it under the child's session, and by another clock perhaps first."""
    left = [
        told("R1", 0, ChildRegistered(child_task_id=R2), "x.registered.p", session="S2"),
        told("R1", 0, ChildFinished(child_task_id=R2, status="completed"), "b.2@R1", session="S2"),
    ]
    assert lineage([*left, RECEIVED]).runs["R1"].session_id == "S"
    assert lineage(left).runs["R1"].session_id == "S2"  # better than nothing


@pytest.mark.parametrize(("kind", "session"), [("replayed_from", "R2"), ("signal_fire", "S")])
def test_a_replay_is_of_a_session_of_its_own_and_a_signalled_run_is_not(kind: str, session: str) -> None:
    events = [
        RECEIVED,
        told("R1", 2, edge(kind), "e", attempt_id=ATTEMPT),
        told("R2", 2, edge(kind), "e@R2", session=None),
    ]
    found = lineage(events)
    assert found.runs["R2"].session_id == session
    [birth] = [one for one in found.edges if one.target == "R2"]
    assert (birth.kind, birth.session_id) == (kind, session)


def test_a_wake_that_a_repeated_attempt_tells_again_is_one() -> None:
    resume = RunEdgeRecorded(kind="resume", source_run=R2, target_run=R1)
    events = [
        told("R1", at, resume, "w.resume", attempt_id=AttemptId(attempt))
        for at, attempt in ((3, "a"), (9, "b"))
    ]
    assert [(one.kind, one.source) for one in lineage(events).edges] == [("resume", "R2")]


@pytest.mark.parametrize("kind", ["resume", "timer_fire", "ctx_ask_user", "domain_callback"])
def test_what_wakes_a_run_costs_nothing_whatever_its_record_says(kind: str) -> None:
    body = RunEdgeRecorded(
        kind=kind, source_run=TaskId("R2"), target_run=TaskId("R1"), wakes=True, cost_attributed=7, tokens_attributed=2
    )  # fmt: skip
    edges = lineage([told("R1", 1, body, "woken")]).edges
    assert [
        (edge.kind, edge.cost_attributed, edge.tokens_attributed) for edge in edges if edge.kind == kind
    ] == [(kind, 0, 0)]
