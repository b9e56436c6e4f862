from __future__ import annotations

import copy
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observability.sample_graphs import GraphSketch, failing_run, fan_in
from projections.hostile_histories import histories
from projections.laws import assert_strict_json, fold, queries
from projections.random_histories import random_history

from relayna.projections.execution import GraphQuery
from relayna.projections.graph import EdgeKind, ExecutionGraph, NodeKind, NodeState, encode_graph
from relayna.projections.graph_view import COLLAPSES, GRAPH_VIEWS, Collapse, GraphView, shown
from relayna.projections.hangings import hangings
from relayna.projections.projection import Item
from relayna.projections.registry import EXECUTION_PROJECTIONS

views = st.sampled_from(GRAPH_VIEWS)
collapses = st.lists(st.sampled_from(COLLAPSES), max_size=4)
every_view = pytest.mark.parametrize("view", GRAPH_VIEWS)
FIRST_SEED = 20_260_101


def graph_of(items: list[Item], query: GraphQuery) -> ExecutionGraph:
    projection = EXECUTION_PROJECTIONS[0]
    return projection.finish(fold(projection, items), query)


@st.composite
def drawn_graphs(draw: st.DrawFn) -> ExecutionGraph:
    """Any nodes and any edges between them, circles and all, also such as no history leads to."""
    sketch = GraphSketch().node("n0", "task", "order-7", state="running")
    count = draw(st.integers(1, 9))
    for number in range(1, count):
        kind = draw(st.sampled_from(["task_attempt", "retry", "aggregation_child", *get_args(NodeKind)]))
        time = draw(st.none() | st.integers(0, 3))
        state = draw(st.sampled_from(get_args(NodeState)))
        task_id = draw(st.sampled_from(["order-7", "child"]))
        notes = draw(st.sampled_from([{}, {"outcome": "retried"}, {"duration_ms": 500}]))
        sketch.node(f"n{number}", kind, "label", time, task_id=task_id, state=state, **notes)
    ends = st.integers(0, count - 1)
    for source, target in draw(st.lists(st.tuples(ends, ends), max_size=14)):
        birth = {"birth": False} if draw(st.booleans()) else {}
        kind = draw(st.sampled_from(["received_by", "retried_as", "aggregated_into", *get_args(EdgeKind)]))
        sketch.edge(f"n{source}", kind, f"n{target}", **birth)
    return sketch.graph("running", truncated={"depth": {}})


def assert_a_part(part: ExecutionGraph, whole: ExecutionGraph) -> None:
    """What holds of every part: nodes are some of the whole's, edges lead to them, and it says what is missing."""
    nodes = {node.id: node for node in whole.nodes}
    order = {node_id: number for number, node_id in enumerate(nodes)}
    kept = [node.id for node in part.nodes]
    assert kept == sorted(set(kept), key=order.__getitem__)
    assert {node.id for node in whole.nodes if node.kind == "task"} <= set(kept)
    for node in part.nodes:
        before = nodes[node.id]
        left = {name: value for name, value in node.annotations.items() if name != "collapsed"}
        assert (node.kind, node.label, node.timestamp) == (before.kind, before.label, before.timestamp)
        assert left == {name: value for name, value in before.annotations.items() if name != "collapsed"}
    assert {end for edge in part.edges for end in (edge.source, edge.target)} <= set(kept)
    assert (part.summary, part.task_id, part.related_task_ids) == (
        whole.summary,
        whole.task_id,
        whole.related_task_ids,
    )
    assert whole.annotations.items() <= part.annotations.items()
    assert part.annotations.get("hidden_nodes", 0) == len(whole.nodes) - len(part.nodes)
    assert part.annotations.get("hidden_edges", 0) == len(whole.edges) - len(part.edges)


def assert_laws(graph: ExecutionGraph, view: GraphView, collapse: list[Collapse]) -> None:
    untouched = copy.deepcopy(graph)
    part = shown(graph, view=view, collapse=collapse)
    assert graph == untouched
    assert_a_part(part, graph)
    assert_strict_json(part)
    assert encode_graph(shown(graph, view=view, collapse=collapse)) == encode_graph(part)
    assert encode_graph(shown(part, view=view, collapse=collapse)) == encode_graph(part)


def assert_no_circle(above: dict[str, str]) -> None:
    for start in above:
        at, steps = start, 0
        while at in above:
            at, steps = above[at], steps + 1
            assert steps <= len(above)


@settings(max_examples=150)
@given(items=histories, query=queries, view=views, collapse=collapses)
def test_whatever_is_recorded_a_part_is_a_part(
    items: list[Item], query: GraphQuery, view: GraphView, collapse: list[Collapse]
) -> None:
    assert_laws(graph_of(items, query), view, collapse)


@settings(max_examples=300)
@given(graph=drawn_graphs(), view=views, collapse=collapses)
def test_whatever_is_drawn_a_part_is_a_part(
    graph: ExecutionGraph, view: GraphView, collapse: list[Collapse]
) -> None:
    part = shown(graph, view=view, collapse=collapse)
    assert_a_part(part, graph)
    assert encode_graph(part) == encode_graph(shown(graph, view=view, collapse=collapse))


@every_view
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 30))
def test_parts_of_realistic_graphs_hang_together(view: GraphView, seed: int) -> None:
    graph = graph_of(random_history(seed), GraphQuery(depth=9))
    for collapse in ([], list(COLLAPSES)):
        part = shown(graph, view=view, collapse=collapse)
        assert_laws(graph, view, collapse)
        above = hangings(part)
        assert {node.id for node in part.nodes} - set(above) == {"task:root"}
        assert_no_circle({node_id: hanging.parent for node_id, hanging in above.items()})


def test_the_full_view_is_the_graph_itself() -> None:
    graph = failing_run()
    assert shown(graph) is graph


def test_causal_leaves_out_what_led_to_nothing() -> None:
    part = shown(failing_run(), view="causal")
    assert [node.kind for node in part.nodes] == [
        "task", "task_attempt", "retry", "task_attempt", "dlq_record",
    ]  # fmt: skip
    assert part.annotations["view"] == "causal"
    assert part.annotations["hidden_nodes"] == 4
    assert part.annotations["completeness"] == ["gap"]


def test_failures_keep_what_went_wrong_and_the_way_to_it() -> None:
    part = shown(fan_in(children=12, failing=3), view="failures")
    assert [node.id for node in part.nodes] == [
        "task:order-7",
        "aggregation_child:child-001",
        "task-attempt:child-001:1",
        "aggregation_child:child-003",
        "task-attempt:child-003:1",
    ]


def test_failures_of_a_run_that_went_well_are_its_root() -> None:
    assert [node.id for node in shown(fan_in(failing=-1, children=1), view="failures").nodes] == [
        "task:order-7"
    ]


def test_a_view_of_a_view_counts_everything_that_is_hidden() -> None:
    whole = failing_run()
    part = shown(shown(whole, view="causal"), view="failures", collapse=["attempts"])
    assert part.annotations["view"] == "failures"
    assert part.annotations["hidden_nodes"] == len(whole.nodes) - len(part.nodes)
    assert shown(part, collapse=["statuses"]).annotations["collapse"] == ["attempts", "statuses"]
