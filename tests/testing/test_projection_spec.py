"""Given, when, then: what a specification accepts and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from relayna.events.history import StreamFact
from relayna.projections.execution import GraphQuery
from relayna.projections.registry import PROJECTIONS
from relayna.testing import given, given_to, history

EVENTS = history("T").published().attempt().acked().events


def test_an_answer_is_looked_at_or_compared() -> None:
    answered = given(EVENTS).when()
    graph = answered.then(lambda graph: graph.summary.status == "completed")
    assert answered.then(graph) is graph
    assert given(EVENTS, task_id="other").when(GraphQuery()).answer.nodes[0].id == "task:other"


def test_a_wrong_answer_is_shown() -> None:
    answered = given(EVENTS).when()
    with pytest.raises(AssertionError, match='"status": "completed"'):
        answered.then(lambda graph: graph.summary.status == "failed")
    with pytest.raises(AssertionError, match=r"Expected:(?s:.*)but was:"):
        answered.then(replace(answered.answer, task_id="other"))


def test_the_kind_of_topology_is_that_of_the_streams() -> None:
    fact = StreamFact(
        task_id=EVENTS[0].envelope.task_id, name="topology_kind", value="shared_status_workflow"
    )
    assert given([fact, *EVENTS]).when().answer.topology_kind == "shared_status_workflow"


def test_a_projection_that_depends_on_the_order_is_refused() -> None:
    graphs = PROJECTIONS[0]

    def forgetful(state: Any, item: Any) -> None:
        state.tasks.clear()
        graphs.apply(state, item)

    broken = replace(graphs, apply=forgetful)
    with pytest.raises(AssertionError, match="another order"):
        given_to(broken, EVENTS).when(GraphQuery())


def test_a_specification_that_says_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="task_id"):
        given([])
    with pytest.raises(ValueError, match="query"):
        given_to(PROJECTIONS[0], EVENTS).when()
