from __future__ import annotations

from observability.sample_graphs import GraphSketch, fan_in
from projections.laws import fold as replayed

from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_folding import fold
from relayna.projections.registry import EXECUTION_PROJECTIONS
from relayna.testing import history


def retried_run(times: int) -> ExecutionGraph:
    """A task that is retried so often, saying `step` twice each time, and then succeeds."""
    attempt = history("order-7", tick=0.1, lifecycle_statuses=False).published().attempt()
    for _ in range(times):
        attempt = attempt.status("step").status("step").fails("TimeoutError").retried().attempt()
    projection = EXECUTION_PROJECTIONS[0]
    state = replayed(projection, attempt.acked().events, root="order-7")
    return projection.finish(state, GraphQuery())


def arrows(graph: ExecutionGraph) -> list[str]:
    return [f"{edge.source} {edge.kind} {edge.target}" for edge in graph.edges]


def test_retried_attempts_become_one_and_lead_on_by_the_last_retry() -> None:
    folded = fold(fold(retried_run(3), "attempts"), "statuses")
    assert [node.id for node in folded.nodes] == [
        "task:order-7",
        "task-attempt:order-7:1",
        "status:order-7:1",
        "retry:order-7:3",
        "task-attempt:order-7:4",
    ]
    assert arrows(folded) == [
        "task:order-7 received_by task-attempt:order-7:1",
        "task-attempt:order-7:1 published_status status:order-7:1",
        "task-attempt:order-7:1 retried_as retry:order-7:3",
        "retry:order-7:3 received_by task-attempt:order-7:4",
    ]
    attempt, status = folded.nodes[1], folded.nodes[2]
    whole = {node.id: node for node in retried_run(3).nodes}
    assert attempt.annotations["collapsed"] == {
        "count": 3,
        "refs": [whole[f"task-attempt:order-7:{number}"].annotations["ref"] for number in (1, 2, 3)],
        "until": whole["task-attempt:order-7:3"].timestamp,
    }
    assert status.annotations["collapsed"]["count"] == 6
    assert len(status.annotations["collapsed"]["refs"]) == 5


def test_one_retried_attempt_stays_as_it_is() -> None:
    graph = retried_run(1)
    assert fold(graph, "attempts") is graph


def test_a_retry_of_which_two_attempts_were_born_stays() -> None:
    sketch = GraphSketch().node("task", "task", "order-7")
    for number, outcome in enumerate(["retried", "retried", "abandoned"]):
        sketch.node(f"a{number}", "task_attempt", f"attempt {number}", number, outcome=outcome)
    sketch.node("retry", "retry", "retry 1", 0.5)
    sketch.edge("task", "received_by", "a0").edge("a0", "retried_as", "retry")
    sketch.edge("retry", "received_by", "a1").edge("retry", "received_by", "a2")
    graph = sketch.graph()
    assert fold(graph, "attempts") is graph


def test_children_with_the_same_end_become_one_and_take_what_is_in_them_along() -> None:
    folded = fold(fan_in(children=12, failing=3), "children")
    assert [node.id for node in folded.nodes] == [
        "task:order-7",
        "aggregation_child:child-000",
        "aggregation_child:child-003",
        "task-attempt:child-003:1",
    ]
    collapsed = folded.nodes[1].annotations["collapsed"]
    assert collapsed["count"] == 11
    assert collapsed["refs"][:2] == ["aggregation_child:child-000", "aggregation_child:child-001"]
    assert "until" not in collapsed
    assert "collapsed" not in folded.nodes[2].annotations


def test_counts_of_what_was_folded_before_add_up() -> None:
    sketch = GraphSketch().node("task", "task", "order-7")
    for number, count in enumerate([3, 1]):
        notes = {"collapsed": {"count": count}} if count > 1 else {}
        sketch.node(f"s{number}", "status_event", "step", number, **notes)
        sketch.edge("task", "published_status", f"s{number}")
    (_, status) = fold(sketch.graph(), "statuses").nodes
    assert status.annotations["collapsed"]["count"] == 4


def test_what_runs_in_a_circle_is_folded_once() -> None:
    sketch = GraphSketch().node("task", "task", "order-7")
    for number in range(3):
        sketch.node(f"a{number}", "task_attempt", f"attempt {number}", number, outcome="retried")
        sketch.node(f"r{number}", "retry", f"retry {number}", number)
        sketch.edge(f"a{number}", "retried_as", f"r{number}")
        sketch.edge(f"r{number}", "received_by", f"a{(number + 1) % 3}")
    folded = fold(sketch.graph(), "attempts")
    assert [node.id for node in folded.nodes] == ["task", "a0"]
    assert folded.edges == []
