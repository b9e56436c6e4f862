"""When an execution is over, as far as its graph shows."""

from __future__ import annotations

from relayna.observability.live.finished import is_finished
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.registry import PROJECTIONS
from relayna.testing import history
from relayna.testing.attempt_histories import AttemptHistory
from relayna.testing.histories import TaskHistory


def graph_of(story: TaskHistory | AttemptHistory, *terminal: str) -> ExecutionGraph:
    projection = PROJECTIONS[0]
    state = projection.initial("T")
    for event in story.events:
        projection.apply(state, event)
    return projection.finish(state, GraphQuery(terminal_statuses=terminal))


def test_a_task_that_goes_on_is_not() -> None:
    run = history("T").published()
    assert not is_finished(graph_of(run))
    attempt = run.attempt()
    assert not is_finished(graph_of(attempt))
    assert not is_finished(graph_of(attempt.fails().retried(delay_ms=5)))
    assert not is_finished(graph_of(attempt.attempt()))


def test_a_completed_one_is_and_stays_open_while_an_attempt_runs() -> None:
    attempt = history("T", lifecycle_statuses=False).published().attempt().status("completed")
    assert not is_finished(graph_of(attempt))
    assert is_finished(graph_of(attempt.acked()))


def test_a_dead_lettered_one_is() -> None:
    assert is_finished(graph_of(history("T").published().attempt().fails().dead_lettered("poison")))


def test_a_child_with_work_ahead_keeps_it_open() -> None:
    attempt = history("T").published().attempt()
    child = attempt.spawns("child")
    attempt.acked()
    assert not is_finished(graph_of(attempt))
    at_work = child.attempt()
    assert not is_finished(graph_of(at_work))
    assert is_finished(graph_of(at_work.acked()))


def test_a_topology_may_add_statuses_that_end_a_task() -> None:
    attempt = history("T", lifecycle_statuses=False).published().attempt().status("archived").acked()
    graph = graph_of(attempt, "archived")
    assert not is_finished(graph)
    assert is_finished(graph, {"archived"})
