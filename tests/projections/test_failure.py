"""Why a task failed: first causes, what they took down, what is independent, and what is waited for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projections.hostile_histories import histories
from projections.laws import fold, queries
from projections.random_histories import random_history

from relayna.events import RecordedEvent
from relayna.projections.execution import GraphQuery
from relayna.projections.failure import explain_failure
from relayna.projections.graph import ExecutionGraph
from relayna.projections.projection import Item
from relayna.projections.registry import EXECUTION_PROJECTIONS
from relayna.projections.task_why import TaskWhy
from relayna.testing import history

FAILED = ("failed", "dead_lettered", "abandoned")


def graph_of(items: Sequence[Item], query: GraphQuery | None = None, *, root: str = "root") -> ExecutionGraph:
    projection = EXECUTION_PROJECTIONS[0]
    return projection.finish(fold(projection, items, root), query or GraphQuery())


def why(events: Sequence[RecordedEvent], root: str) -> TaskWhy:
    return explain_failure(graph_of(events, root=root))


def test_the_first_failing_attempt_is_the_cause_and_took_down_the_rest() -> None:
    first = history("order-7").published().attempt().fails("CardDeclined", "no funds")
    second = first.retried(delay_ms=50).attempt().fails("CardDeclined", "no funds")
    last = second.dead_lettered()
    told = why(last.events, "order-7")
    [cause] = told.causes
    assert (cause.failure.node, cause.failure.event_id) == ("task-attempt:order-7:1", first.attempt_id)
    assert [failure.node for failure in cause.took_down] == ["task-attempt:order-7:2", "dlq:order-7:1"]
    assert (told.has_failed, told.found_failure, told.bystanders, told.waits_for) == (True, True, [], [])
    assert told.sentence == (
        f"order-7 failed because attempt 1 (event {first.attempt_id}) raised CardDeclined: no funds "
        "[queue work], which took down 1 later failure and 1 dead letter."
    )


def test_what_was_tried_again_with_success_is_recovered() -> None:
    done = history("order-7").published().attempt().fails().retried().attempt().acked()
    told = why(done.events, "order-7")
    assert (told.causes, told.bystanders, len(told.recovered)) == ([], [], 1)
    assert (told.has_failed, told.found_failure) == (False, False)
    assert told.sentence == "order-7 ended well."


def test_a_childs_failure_leads_to_its_parents_when_it_came_first() -> None:
    parent = history("order-7").published().attempt()
    child = parent.spawns("page-1").published().attempt().fails("LookupError", "no chart").dead_lettered()
    parent.fails("ChildFailed").dead_lettered()
    told = why(parent.events, "order-7")
    assert {cause.failure.node for cause in told.causes} == {
        "task-attempt:page-1:1",
        "task-attempt:order-7:1",
    }
    assert child.attempt_id in {cause.failure.event_id for cause in told.causes}


def test_a_child_that_failed_beside_a_parent_that_ended_well_is_a_bystander() -> None:
    parent = history("order-7").published().attempt()
    parent.spawns("page-1").published().attempt().fails("LookupError").dead_lettered()
    told = why(parent.acked().events, "order-7")
    assert (told.has_failed, told.causes) == (False, [])
    assert [cause.failure.node for cause in told.bystanders] == ["task-attempt:page-1:1"]
    assert told.found_failure
    assert told.sentence == "order-7 ended well; 1 failure beside it had no part in that."


@pytest.mark.parametrize("seed", range(200))
def test_each_failed_attempt_is_told_of_once(seed: int) -> None:
    graph = graph_of(random_history(seed))
    told = explain_failure(graph)
    counted = Counter(
        failure.node
        for cause in (*told.causes, *told.bystanders, *told.recovered)
        for failure in (cause.failure, *cause.took_down)
        if failure.kind != "dlq_record"
    )
    failed = {
        node.id
        for node in graph.nodes
        if node.kind.endswith("_attempt") and node.annotations.get("state") in FAILED
    }
    assert counted == Counter(failed)


@settings(max_examples=200, deadline=None)
@given(items=histories, query=queries)
def test_it_never_raises_and_always_says_something(items: list[Item], query: GraphQuery) -> None:
    told = explain_failure(graph_of(items, query))
    assert told.sentence.endswith(".")
    assert told.found_failure or not told.has_failed


@settings(max_examples=50, deadline=None)
@given(items=histories, chance=st.randoms(use_true_random=False))
def test_the_order_of_what_was_recorded_changes_nothing(items: list[Item], chance: object) -> None:
    shuffled = sorted(items, key=lambda item: chance.random())  # type: ignore[attr-defined]
    assert explain_failure(graph_of(shuffled)) == explain_failure(graph_of(items))
