"""The invariant of births holds for every graph that is built, and a graph that breaks it is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observability.sample_graphs import GraphSketch, failing_run, fan_in, workflow_run
from projections.test_execution import graph_of

from relayna.projections.graph import EdgeKind
from relayna.projections.inbound_edges import missing_inbound_edges
from relayna.testing import history


def sketch() -> GraphSketch:
    return (
        GraphSketch()
        .node("task:order-7", "task", "order-7")
        .node("task-attempt:order-7:1", "task_attempt", "attempt 1", 1)
    )


@pytest.mark.parametrize(
    "graph", [failing_run(), fan_in(), workflow_run()], ids=["failing", "fan-in", "workflow"]
)
def test_a_sound_graph_lacks_nothing(graph: object) -> None:
    assert missing_inbound_edges(graph) == []  # type: ignore[arg-type]


@given(st.data())
def test_whatever_is_lost_of_a_history_no_graph_breaks_it_unsaid(data: st.DataObject) -> None:
    task = history("T").published()
    attempt = task.attempt().fails().retried().attempt().status("sent").fails().retried().attempt()
    events = attempt.acked().events
    kept = data.draw(st.lists(st.sampled_from(range(len(events))), unique=True, min_size=1))
    random.Random(0).shuffle(kept)
    assert missing_inbound_edges(graph_of([events[index] for index in kept])) == []


def test_no_edge_is_one_too_few() -> None:
    assert missing_inbound_edges(sketch().graph()) == ["task-attempt:order-7:1"]


@pytest.mark.parametrize("kind", ["received_by", "entered_stage", "manual_retry_to", "replayed_as"])
def test_one_edge_of_birth_is_enough_and_two_are_too_many(kind: EdgeKind) -> None:
    one = sketch().edge("task:order-7", kind, "task-attempt:order-7:1")
    assert missing_inbound_edges(one.graph()) == []
    two = one.edge("task:order-7", "received_by", "task-attempt:order-7:1")
    assert missing_inbound_edges(two.graph()) == ["task-attempt:order-7:1"]


def test_an_edge_without_birth_is_none() -> None:
    drawn = sketch().edge("task:order-7", "entered_stage", "task-attempt:order-7:1", birth=False)
    assert missing_inbound_edges(drawn.graph()) == ["task-attempt:order-7:1"]


def test_an_edge_that_stands_for_a_missing_cause_is_none() -> None:
    drawn = sketch().edge("task:order-7", "received_by", "task-attempt:order-7:1", rule="cause_missing")
    assert missing_inbound_edges(drawn.graph()) == ["task-attempt:order-7:1"]


@pytest.mark.parametrize(
    "annotations",
    [
        {"completeness": ["limit_reached"]},
        {"completeness": ["cycle"]},
        {"completeness": ["trimmed"]},
        {"truncated": {"max_nodes": {}}},
        {"completeness": ["gap"], "gaps": [{"reason": "gap", "task_id": "order-7"}]},
        {"completeness": ["head_missing"], "gaps": [{"reason": "head_missing", "task_id": "order-7"}]},
    ],
)
def test_a_known_gap_explains_it(annotations: dict[str, object]) -> None:
    assert missing_inbound_edges(sketch().graph(**annotations)) == []


def test_a_gap_of_another_task_or_another_kind_explains_nothing() -> None:
    gaps = [{"reason": "gap", "task_id": "order-8"}, {"reason": "unclosed", "task_id": "order-7"}]
    graph = sketch().graph(completeness=["gap", "unclosed"], gaps=gaps)
    assert missing_inbound_edges(graph) == ["task-attempt:order-7:1"]
