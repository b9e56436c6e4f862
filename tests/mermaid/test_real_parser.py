"""What is drawn is what the real Mermaid reads: exactly the nodes, texts and edges, whatever labels hold."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mermaid.hostile_labels import HOSTILE, labels
from mermaid.real_parser import RealParser
from observability.sample_graphs import GraphSketch, failing_run, fan_in, workflow_run
from topologies.sample_topologies import SAMPLES, hostile_workflow

from relayna.observability.mermaid import execution_graph_mermaid
from relayna.projections.graph import EdgeKind, ExecutionGraph, NodeKind
from relayna.topologies import Topology, consumed_queues, declarations, topology_mermaid
from relayna.topologies.mermaid_labels import visible_text

NODE_KINDS: tuple[NodeKind, ...] = get_args(NodeKind)
EDGE_KINDS: tuple[EdgeKind, ...] = get_args(EdgeKind)


def shown(label: str) -> str:
    return visible_text(label) or "(no text)"


def expect_exactly(parser: RealParser, graph: ExecutionGraph) -> None:
    """The graph's nodes and edges, each once, with their texts, and no element but line breaks."""
    answer = parser.parse_one(execution_graph_mermaid(graph))
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    assert answer.texts() == {ids[node.id]: shown(node.label) for node in graph.nodes}
    assert sorted(answer.edges) == sorted(
        (
            ids[edge.source],
            ids[edge.target],
            edge.kind.replace("_", " "),
            "dotted" if edge.annotations["evidence"] == "inferred" else "normal",
        )
        for edge in graph.edges
    )
    assert set(answer.elements) <= {"br"}


@st.composite
def graphs(draw: st.DrawFn) -> ExecutionGraph:
    sketch = GraphSketch(draw(labels), kind="shared_status_workflow")
    count = draw(st.integers(1, 8))
    for number in range(count):
        sketch.node(f"node:{number}", draw(st.sampled_from(NODE_KINDS)), draw(labels))
    ends = st.integers(0, count - 1)
    for source, target in draw(st.lists(st.tuples(ends, ends), max_size=10)):
        evidence = draw(st.sampled_from(["observed", "inferred"]))
        kind = draw(st.sampled_from(EDGE_KINDS))
        sketch.edge(f"node:{source}", kind, f"node:{target}", evidence=evidence)
    return sketch.graph()


@given(graph=graphs())
@settings(max_examples=150)
def test_any_graph_is_read_exactly(real_parser: RealParser, graph: ExecutionGraph) -> None:
    # A dead letter says its state in words too, which this test is not about.
    for node in graph.nodes:
        node.kind = "retry" if node.kind == "dlq_record" else node.kind
    expect_exactly(real_parser, graph)


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_hostile_labels_are_read_exactly_in_every_shape(real_parser: RealParser, kind: NodeKind) -> None:
    sketch = GraphSketch()
    for number, label in enumerate(HOSTILE):
        sketch.node(f"node:{number}", kind, label)
    answer = real_parser.parse_one(execution_graph_mermaid(sketch.graph()))
    suffix = "\ndead_lettered" if kind == "dlq_record" else ""
    expected = [visible_text(label) + suffix for label in HOSTILE]
    assert list(answer.texts().values()) == [text.strip() or "(no text)" for text in expected]
    assert set(answer.elements) <= {"br"}


@pytest.mark.parametrize(
    "label", ["direction TB", "any direction LR", "ﬂ°lt¶ß", "#35;", "<img src=x onerror=y>"]
)
def test_quotes_alone_would_not_have_been_enough(real_parser: RealParser, label: str) -> None:
    (answer,) = real_parser.parse([f'flowchart TD\n  n0["{label}"]\n  n1["other"]\n  n0 --> n1\n'])
    assert answer.error is not None or answer.texts().get("n0") != label


def test_failures_are_seen_by_class_and_in_words(real_parser: RealParser) -> None:
    answer = real_parser.parse_one(execution_graph_mermaid(failing_run()))
    assert answer.texts()["n1"] == "order-7 attempt 1\nfailed, TimeoutError, lost_ack"
    assert answer.classes()["n1"] == ["failed"]
    assert answer.texts()["n8"] == "retries_exhausted\ndead_lettered, TimeoutError"
    assert answer.classes()["n8"] == ["dead_lettered"]
    assert answer.texts()["note0"] == "partial: gap"
    assert ("n5", "n7", "published status", "dotted") in answer.edges


def test_sample_runs_keep_all_their_edges(real_parser: RealParser) -> None:
    for graph in (failing_run(), fan_in(), workflow_run()):
        answer = real_parser.parse_one(execution_graph_mermaid(graph))
        assert len(answer.edges) == len(graph.edges)


def test_a_graph_too_large_to_draw_is_cut_and_says_so(real_parser: RealParser) -> None:
    graph = fan_in(children=3_000, failing=2_900)
    source = execution_graph_mermaid(graph)
    assert len(source.encode("utf-16-le")) // 2 <= 50_000
    answer = real_parser.parse_one(source)
    assert len(answer.edges) <= 500
    assert {"child-2900\nfailed", "child-2900 attempt 1\nfailed"} <= set(answer.texts().values())
    drawn = len(answer.nodes) - 1
    expected = f"cut: {drawn} of {len(graph.nodes)} nodes and {len(answer.edges)} of {len(graph.edges)} edges are drawn"
    assert answer.texts()["cut"] == expected


def test_large_labels_stay_within_the_limits(real_parser: RealParser) -> None:
    sketch = GraphSketch()
    sketch.node("task", "task", "🧨#" * 200)
    for number in range(600):
        sketch.node(f"node:{number}", "retry", "🧨#" * 200).edge("task", "retried_as", f"node:{number}")
    source = execution_graph_mermaid(sketch.graph())
    assert len(source.encode("utf-16-le")) // 2 <= 50_000
    assert "cut" in real_parser.parse_one(source).texts()


@pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())
def test_topologies_are_drawn_with_everything_they_declare(
    real_parser: RealParser, topology: Topology
) -> None:
    answer = real_parser.parse_one(topology_mermaid(topology))
    texts = [text.partition("\n")[0] for text in answer.texts().values()]
    setup = declarations(topology)
    for name in [*(one.name for one in setup.exchanges), *(one.name for one in setup.queues)]:
        assert texts.count(visible_text(name)) == 1
    assert len(answer.edges) >= len(setup.bindings) + 2 * len(consumed_queues(topology))
    assert "cut" not in answer.texts()


def test_hostile_names_in_a_topology_are_read_exactly(real_parser: RealParser) -> None:
    topology = hostile_workflow(label for label in HOSTILE if label.isprintable() and 0 < len(label) < 200)
    answer = real_parser.parse_one(topology_mermaid(topology))
    texts = set(answer.texts().values())
    assert {shown(stage.name) for stage in topology.stages} <= texts
    assert {f"{shown(stage.queue)}\nquorum queue" for stage in topology.stages} <= texts
    assert set(answer.elements) <= {"br"}
