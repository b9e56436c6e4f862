"""The tree of a run: each node once, in reading order, whatever shape the graph has."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from observability.sample_graphs import GraphSketch, failing_run, fan_in, workflow_run

from relayna.observability.run_tree import Fold, TreeLine, failure_paths, run_tree
from relayna.projections.graph import EdgeKind, ExecutionGraph, NodeKind, NodeState

NODE_KINDS: tuple[NodeKind, ...] = get_args(NodeKind)
EDGE_KINDS: tuple[EdgeKind, ...] = get_args(EdgeKind)
STATES: tuple[NodeState, ...] = get_args(NodeState)


def told(line: TreeLine) -> str:
    """A line as its depth in dots and what stands on it."""
    content = line.content
    name = f"{len(content.nodes)} {content.state}" if isinstance(content, Fold) else content.label
    return f"{'.' * len(line.guides)}{name}"


def outline(graph: ExecutionGraph) -> list[str]:
    return [told(line) for line in run_tree(graph)]


def test_attempts_follow_each_other_and_hold_what_happened_in_them() -> None:
    assert outline(failing_run()) == [
        "order-7",
        ".order-7 attempt 1",
        "..processing",
        "..retrying",
        "..retry 1",
        ".order-7 attempt 2",
        "..processing",
        "..failed",
        "..retries_exhausted",
    ]


def test_branches_of_a_workflow_stand_below_what_they_came_from() -> None:
    assert outline(workflow_run()) == [
        "scan-1",
        ".ingest",
        ".ingest attempt 1",
        "..resize",
        "...resize attempt 1",
        "..classify",
        "...classify attempt 1",
        "...publish",
        "...publish attempt 1",
    ]


def test_children_that_went_well_are_one_line_and_the_others_are_shown() -> None:
    lines = list(run_tree(fan_in(children=12, failing=3)))
    assert [told(line) for line in lines] == [
        "order-7",
        ".11 succeeded",
        ".child-003",
        "..child-003 attempt 1",
    ]
    fold = lines[1].content
    assert isinstance(fold, Fold)
    assert fold.after_failures == 1
    assert [node.label for node in fold.nodes[:2]] == ["child-000", "child-001"]


def test_a_few_children_are_not_folded() -> None:
    assert outline(fan_in(children=4, failing=3)) == [
        "order-7",
        ".child-000",
        "..child-000 attempt 1",
        ".child-001",
        "..child-001 attempt 1",
        "..child-001 attempt 2",
        ".child-002",
        "..child-002 attempt 1",
        ".child-003",
        "..child-003 attempt 1",
    ]


def test_a_child_with_a_dead_letter_or_an_anomaly_is_never_folded() -> None:
    graph = fan_in(children=12, failing=99)
    sketch = GraphSketch()
    sketch.node("dlq:child-005:1", "dlq_record", "poison", 9, task_id="child-005")
    sketch.edge("task-attempt:child-005:1", "dead_lettered_to", "dlq:child-005:1")
    graph.nodes += sketch.graph().nodes
    graph.edges += sketch.graph().edges
    next(node for node in graph.nodes if node.id == "task-attempt:child-006:1").annotations["anomalies"] = [
        "lost_ack"
    ]
    shown = outline(graph)
    assert ".10 succeeded" in shown
    assert {".child-005", "...poison", ".child-006"} <= set(shown)


def test_a_skewed_clock_puts_no_attempt_above_the_one_it_followed() -> None:
    sketch = GraphSketch()
    sketch.node("task", "task", "order-7")
    sketch.node("second", "task_attempt", "second", 1)
    sketch.node("first", "task_attempt", "first", 5)
    sketch.node("retry", "retry", "retry 1", 6)
    sketch.edge("task", "received_by", "first").edge("first", "retried_as", "retry")
    sketch.edge("retry", "received_by", "second")
    assert outline(sketch.graph()) == ["order-7", ".first", "..retry 1", ".second"]


def test_redelivered_attempts_stand_beside_each_other() -> None:
    sketch = GraphSketch()
    sketch.node("task", "task", "order-7")
    for number in (1, 2, 3):
        sketch.node(f"a{number}", "task_attempt", f"attempt {number}", number)
        sketch.edge("task", "received_by", f"a{number}")
    assert outline(sketch.graph()) == ["order-7", ".attempt 1", ".attempt 2", ".attempt 3"]


def test_what_fails_comes_with_the_way_to_it() -> None:
    assert list(failure_paths(fan_in(children=12, failing=3))) == [
        "task:order-7",
        "aggregation_child:child-001",
        "task-attempt:child-001:1",
        "aggregation_child:child-003",
        "task-attempt:child-003:1",
    ]


def test_a_circle_is_walked_once() -> None:
    sketch = GraphSketch()
    for node_id in ("task", "a", "b", "c"):
        sketch.node(node_id, "task" if node_id == "task" else "stage_attempt", node_id)
    sketch.edge("a", "stage_transitioned_to", "b").edge("b", "stage_transitioned_to", "c")
    sketch.edge("c", "stage_transitioned_to", "a").edge("a", "retried_as", "a")
    assert sorted(line.strip(".") for line in outline(sketch.graph())) == ["a", "b", "c", "task"]


def chain(length: int, *, branching: bool) -> ExecutionGraph:
    sketch = GraphSketch()
    sketch.node("n0", "task", "0")
    for number in range(1, length):
        sketch.node(f"n{number}", "workflow_message", str(number), number)
        sketch.edge(f"n{number - 1}", "stage_transitioned_to", f"n{number}")
        if branching:
            sketch.node(f"side{number}", "workflow_message", f"side {number}", number)
            sketch.edge(f"n{number - 1}", "stage_transitioned_to", f"side{number}")
    return sketch.graph()


def test_a_chain_of_ten_thousand_stays_at_one_depth() -> None:
    lines = list(run_tree(chain(10_000, branching=False)))
    assert len(lines) == 10_000
    assert max(len(line.guides) for line in lines) == 1


def test_ten_thousand_branches_below_each_other_stay_on_the_page() -> None:
    lines = list(run_tree(chain(10_000, branching=True)))
    assert len(lines) == 19_999
    assert max(len(line.guides) for line in lines) == 12


def test_siblings_in_great_number_take_linear_time() -> None:
    assert outline(fan_in(children=20_000, failing=7)) == [
        "order-7",
        ".19999 succeeded",
        ".child-007",
        "..child-007 attempt 1",
    ]


@st.composite
def graphs(draw: st.DrawFn) -> ExecutionGraph:
    sketch = GraphSketch()
    count = draw(st.integers(0, 12))
    for number in range(count):
        annotations = draw(st.sampled_from([{}, *({"state": state} for state in STATES)]))
        kind = draw(st.sampled_from(NODE_KINDS))
        sketch.node(f"n{number}", kind, str(number), draw(st.none() | st.integers(0, 5)), **annotations)
    ends = st.integers(0, max(0, count - 1)) | st.just(99)
    for source, target in draw(st.lists(st.tuples(ends, ends), max_size=30)):
        birth = draw(st.sampled_from([{}, {"birth": False}]))
        sketch.edge(f"n{source}", draw(st.sampled_from(EDGE_KINDS)), f"n{target}", **birth)
    return sketch.graph()


@given(graph=graphs())
def test_no_node_is_drawn_twice_and_none_is_lost_but_in_folds(graph: ExecutionGraph) -> None:
    lines = list(run_tree(graph))
    single = [line.content.id for line in lines if not isinstance(line.content, Fold)]
    folds = [line.content for line in lines if isinstance(line.content, Fold)]
    folded = [node.id for fold in folds for node in fold.nodes]
    assert len(set(single + folded)) == len(single + folded)
    if not folds:
        assert set(single) == {node.id for node in graph.nodes}


@given(graph=graphs())
def test_what_failed_is_always_shown(graph: ExecutionGraph) -> None:
    shown = {line.content.id for line in run_tree(graph) if not isinstance(line.content, Fold)}
    folded_over = {
        node.id
        for node in graph.nodes
        if node.kind == "dlq_record" or node.annotations.get("state") == "abandoned"
    } - shown
    assert folded_over == set()


@given(graph=graphs())
def test_guides_fit_together(graph: ExecutionGraph) -> None:
    depth = 0
    for line in run_tree(graph):
        assert len(line.guides) <= depth + 1
        depth = len(line.guides)
        assert depth == 0 or all(isinstance(more, bool) for more in line.guides)


@given(graph=graphs())
def test_failure_paths_name_each_node_once(graph: ExecutionGraph) -> None:
    paths = list(failure_paths(graph))
    assert len(set(paths)) == len(paths)
    assert set(paths) <= {node.id for node in graph.nodes}
