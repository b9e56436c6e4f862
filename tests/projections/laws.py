"""The laws of projections and of graphs, as assertions. `test_laws.py` runs them for every projection."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, get_args

import networkx
from hypothesis import strategies as st

from relayna.projections.execution import GraphQuery
from relayna.projections.graph import EdgeKind, ExecutionGraph, NodeKind, NodeState, encode_graph
from relayna.projections.projection import Item, Projection
from relayna.testing import births

AnyProjection = Projection[Any, Any, Any]

QUERIES = [
    GraphQuery(),
    GraphQuery(depth=0),
    GraphQuery(at=1_500_000, depth=1),
    GraphQuery(max_nodes=3),
    GraphQuery(related_task_ids=("child", "stranger", "a\ud800")),
]
queries = st.sampled_from(QUERIES)


def fold(projection: AnyProjection, items: Sequence[Item], root: str = "root") -> Any:
    """The state after these items."""
    state = projection.initial(root)
    for item in items:
        projection.apply(state, item)
    return state


def answer(projection: AnyProjection, items: Sequence[Item], query: Any, root: str = "root") -> bytes:
    """The answer as JSON."""
    return encode_graph(projection.finish(fold(projection, items, root), query))


def assert_any_order_and_repeats(
    projection: AnyProjection, items: Sequence[Item], query: Any, chance: random.Random, shuffles: int
) -> None:
    """Commutative and idempotent."""
    expected = answer(projection, items, query)
    for _ in range(shuffles):
        shuffled = [*items, *chance.choices(items, k=len(items) // 2)] if items else []
        chance.shuffle(shuffled)
        assert answer(projection, shuffled, query) == expected


def assert_snapshot_and_rest(projection: AnyProjection, items: Sequence[Item], cut: int, query: Any) -> None:
    """A snapshot at the cut, read back, goes on as the state would have; finishing changes nothing."""
    expected = answer(projection, items, query)
    before = fold(projection, items[:cut])
    projection.finish(before, query)
    restored = projection.restore(projection.snapshot(before))
    for state in (before, restored):
        for item in items[cut:]:
            projection.apply(state, item)
        assert encode_graph(projection.finish(state, query)) == expected
    assert projection.snapshot(before) == projection.snapshot(restored)


def assert_finished_states_go_on(
    projection: AnyProjection, items: Sequence[Item], cuts: Sequence[int], query: Any
) -> None:
    """Finished at each cut and at the end it answers like the whole, and takes back no answer that it gave."""
    state, begun = projection.initial("root"), 0  # type: ignore[arg-type]
    given: list[tuple[Any, bytes]] = []
    for cut in (*sorted(cuts), len(items)):
        for item in items[begun:cut]:
            projection.apply(state, item)
        begun = max(begun, cut)
        graph = projection.finish(state, query)
        given.append((graph, answer(projection, items[:cut], query)))
        assert encode_graph(graph) == given[-1][1]
    assert [encode_graph(graph) for graph, _ in given] == [told for _, told in given]


def assert_well_formed(graph: ExecutionGraph) -> None:
    """What holds of every graph."""
    ids = [node.id for node in graph.nodes]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    assert {end for edge in graph.edges for end in (edge.source, edge.target)} <= set(ids)
    assert {node.kind for node in graph.nodes} <= set(get_args(NodeKind))
    assert {edge.kind for edge in graph.edges} <= set(get_args(EdgeKind))
    assert {node.annotations.get("state") for node in graph.nodes} <= {*get_args(NodeState), None}
    for node in graph.nodes:
        if node.kind in ("task_attempt", "stage_attempt"):
            assert len(births(graph, node.id)) == 1, node.id
            assert (node.annotations.get("duration_ms") or 0) >= 0
            assert (node.annotations.get("queue_wait_ms") or 0) >= 0
    drawn = [node for node in graph.nodes if node.kind == "dlq_record"]
    letters = Counter((node.task_id, node.annotations.get("dead_letter_id")) for node in drawn)
    assert [letter for letter, count in letters.items() if letter[1] and count > 1] == []
    _assert_evidence(graph)
    _assert_times(graph)
    _assert_connected(graph)
    assert_strict_json(graph)
    partial = bool(graph.annotations.get("completeness"))
    assert graph.summary.graph_completeness == ("partial" if partial else "full")
    assert graph.related_task_ids == sorted(set(graph.related_task_ids))


def assert_strict_json(graph: ExecutionGraph) -> None:
    """JSON that any reader takes: no NaN, and the same fields in the same order."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(encode_graph(graph), parse_constant=refuse)
    assert list(read) == [
        "task_id", "topology_kind", "summary", "nodes", "edges", "annotations", "related_task_ids",
    ]  # fmt: skip


def _assert_evidence(graph: ExecutionGraph) -> None:
    for edge in graph.edges:
        assert edge.annotations["evidence"] in ("observed", "inferred")
        assert ("rule" in edge.annotations) <= (edge.annotations["evidence"] == "inferred")
        assert None not in edge.annotations.values()


_ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$")


def _assert_times(graph: ExecutionGraph) -> None:
    for drawn in (*graph.nodes, *graph.edges):
        assert drawn.timestamp is None or _ISO.match(drawn.timestamp), drawn.timestamp
    roots = [node for node in graph.nodes if node.kind in ("task", "aggregation_child")]
    assert [node.timestamp for node in roots if node.timestamp] == []
    assert graph.summary.duration_ms is None or graph.summary.duration_ms >= 0


def _assert_connected(graph: ExecutionGraph) -> None:
    drawn = networkx.Graph()
    drawn.add_nodes_from(node.id for node in graph.nodes if node.kind != "opaque_event")
    drawn.add_edges_from((edge.source, edge.target) for edge in graph.edges)
    root = next(node.id for node in graph.nodes if node.kind == "task")
    assert set(networkx.node_connected_component(drawn, root)) == set(drawn)


def assert_causes_run_forward(graph: ExecutionGraph) -> None:
    """Of realistic histories: nothing led to itself. What a child hands to its parent points back on purpose."""
    drawn = networkx.DiGraph()
    drawn.add_edges_from((edge.source, edge.target) for edge in graph.edges if edge.kind != "aggregated_into")
    assert networkx.is_directed_acyclic_graph(drawn)
    root = next(node.id for node in graph.nodes if node.kind == "task")
    homes = {node.id for node in graph.nodes if node.kind in ("task", "aggregation_child")} & set(drawn)
    reached = {root} if root in drawn else set()
    for home in homes:
        reached |= {home} | networkx.descendants(drawn, home)
    assert reached == set(drawn)
