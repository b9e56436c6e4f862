from __future__ import annotations

from observability.sample_graphs import GraphSketch, at, workflow_run

from relayna.projections.critical_chain import critical_chain
from relayna.projections.graph import ExecutionGraph


def fan_in() -> ExecutionGraph:
    """Two children of which the second ends last; then the parent goes on, and a third child straggles."""
    sketch = GraphSketch("report")
    sketch.node("task", "task", "report")
    sketch.node("split", "task_attempt", "report attempt 1", 0, duration_ms=1_000)
    for number, (child, begun, took, ended) in enumerate(
        [("page-1", 1, 2, 3), ("page-2", 1, 7, 8), ("page-3", 1, 4, 30)]
    ):
        sketch.node(child, "aggregation_child", child, task_id=child)
        name = f"{child} attempt"
        sketch.node(name, "task_attempt", name, begun + number / 10, task_id=child, duration_ms=took * 1000)
        sketch.edge(child, "received_by", name).edge(child, "aggregated_into", "task")
        sketch._edges[-1].timestamp = at(ended)
    sketch.node("joined", "status_event", "joined", 9)
    sketch.node("join", "task_attempt", "report attempt 2", 9.5, duration_ms=1_000)
    sketch.edge("task", "received_by", "split").edge("task", "received_by", "join")
    sketch.edge("split", "published_status", "joined")
    return sketch.graph()


def test_a_join_waited_for_the_child_that_ended_last() -> None:
    assert critical_chain(fan_in()) == {"task", "join", "page-2", "page-2 attempt"}


def test_what_an_attempt_did_while_it_ran_waited_for_no_child() -> None:
    sketch = GraphSketch("report").node("task", "task", "report")
    sketch.node("attempt", "task_attempt", "report attempt 1", 0, duration_ms=9_000)
    sketch.node("page", "aggregation_child", "page", task_id="page").edge("page", "aggregated_into", "task")
    sketch.node("done", "status_event", "completed", 9)
    sketch.edge("task", "received_by", "attempt").edge("attempt", "published_status", "done")
    sketch._edges[0].timestamp = at(3)
    assert critical_chain(sketch.graph()) == {"task", "attempt", "done"}


def test_a_join_of_messages_waited_for_the_last_of_them() -> None:
    graph = workflow_run()
    # Publishing was born of the classified message; the resized one came in earlier, so it held up nothing.
    assert critical_chain(graph) == {"task:scan-1", "m1", "a1", "m3", "a3", "m4", "a4"}
    late = next(node for node in graph.nodes if node.id == "m2")
    late.timestamp = at(0.65)
    assert critical_chain(graph) == {"task:scan-1", "m1", "a1", "m2", "a4"}


def test_a_run_of_which_nothing_is_timed_is_its_root() -> None:
    sketch = GraphSketch().node("task", "task", "order-7").node("status", "status_event", "queued")
    assert critical_chain(sketch.edge("task", "published_status", "status").graph()) == {"task"}


def test_edges_in_a_circle_end_the_walk() -> None:
    sketch = GraphSketch().node("task", "task", "order-7")
    for number in range(3):
        sketch.node(f"a{number}", "task_attempt", f"attempt {number}", number)
        sketch.edge(f"a{number}", "manual_retry_to", f"a{(number + 1) % 3}")
    assert critical_chain(sketch.graph()) == {"task", "a0", "a1", "a2"}
