"""Execution graphs as DOT. The real Graphviz reads what is written, and shows exactly the texts."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mermaid.hostile_labels import HOSTILE, labels
from observability.real_dot import Drawn, draw
from observability.sample_graphs import GraphSketch, failing_run, fan_in, workflow_run
from projections.golden_histories import GOLDEN_HISTORIES, golden_graph

from relayna.observability.dot import SOURCE_LIMIT, execution_graph_dot
from relayna.projections.graph import ExecutionGraph, NodeKind
from relayna.topologies.figure_limits import EDGE_LIMIT, source_size
from relayna.topologies.mermaid_labels import visible_text

NODE_KINDS: tuple[NodeKind, ...] = get_args(NodeKind)


def dot(graph: ExecutionGraph) -> tuple[Drawn, Drawn]:
    return draw(execution_graph_dot(graph))


def squeezed(text: str) -> str:
    """Lines of a label as words: what space there is between them, and between lines, is Graphviz's business."""
    return "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())


def shown(label: str) -> str:
    return squeezed(visible_text(label) or "(no text)")


def test_a_failing_run_in_full() -> None:
    lines = execution_graph_dot(failing_run()).splitlines()
    assert [line for line in lines if line.startswith(("  n1 [", "  note0 ", "  n5 ->"))] == [
        '  note0 [label="partial: gap", shape="note", style="filled,dashed", fillcolor="#fff8dc", color="#b8860b"]',
        '  n1 [label="order-7 attempt 1\\nfailed, TimeoutError, lost_ack", shape="box", style="filled", '
        'fillcolor="#fdd8d5", color="#b3261e", penwidth="3", fontcolor="#410e0b"]',
        '  n5 -> n6 [label="published status"]',
        '  n5 -> n7 [label="published status", style="dotted"]',
        '  n5 -> n8 [label="dead lettered to"]',
    ]


def test_dashes_and_short_colours_are_spelled_as_graphviz_wants_them() -> None:
    drawn = execution_graph_dot(GraphSketch().node("x", "task", "x", state="abandoned").graph())
    assert 'style="filled,dashed", fillcolor="#fdeaea"' in drawn
    drawn = execution_graph_dot(GraphSketch().node("x", "task", "x", state="unknown").graph())
    assert 'fillcolor="#ffffff"' in drawn


def test_nothing_of_a_label_stands_outside_its_quotes() -> None:
    drawn = execution_graph_dot(GraphSketch().node("<x>", "task", '<b>"\\" -> n1; }\n</b>\\').graph())
    assert '[label="&lt;b&gt;\\"\\\\\\" -&gt; n1; }\\n&lt;/b&gt;\\\\", shape="oval"' in drawn
    assert "<" not in drawn


def test_what_fails_is_kept_when_not_all_fits() -> None:
    drawn = execution_graph_dot(fan_in(children=5_000, failing=4_999))
    assert source_size([drawn]) <= SOURCE_LIMIT
    assert drawn.count(" -> ") <= EDGE_LIMIT
    assert 'label="child-4999 attempt 1\\nfailed"' in drawn
    assert 'label="cut: ' in drawn


def test_graphviz_reads_every_golden_graph() -> None:
    for graph in [*map(golden_graph, GOLDEN_HISTORIES), failing_run(), fan_in(), workflow_run()]:
        nodes, _ = dot(graph)
        first_lines = {title: text.partition("\n")[0] for title, text in nodes.items()}
        assert [first_lines[f"n{number}"] for number in range(len(graph.nodes))] == [
            shown(node.label) for node in graph.nodes
        ]


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_hostile_labels_are_shown_exactly_in_every_shape(kind: NodeKind) -> None:
    sketch = GraphSketch()
    for number, label in enumerate(HOSTILE):
        sketch.node(f"node:{number}", kind, label)
    nodes, _ = dot(sketch.graph())
    suffix = "\ndead_lettered" if kind == "dlq_record" else ""
    expected = [squeezed((visible_text(label) + suffix).strip() or "(no text)") for label in HOSTILE]
    assert [squeezed(text) for text in nodes.values()] == expected


@st.composite
def graphs(draw: st.DrawFn) -> ExecutionGraph:
    sketch = GraphSketch(draw(labels))
    texts = draw(st.lists(labels, min_size=8, max_size=24))
    for number, text in enumerate(texts):
        sketch.node(f"node:{number}", draw(st.sampled_from(NODE_KINDS[:5])), text)
        sketch.edge("node:0", "received_by", f"node:{number}")
    return sketch.graph()


@given(graph=graphs())
@settings(max_examples=40)
def test_any_label_is_shown_exactly(graph: ExecutionGraph) -> None:
    nodes, edges = dot(graph)
    assert {title: squeezed(text) for title, text in nodes.items()} == {
        f"n{number}": shown(node.label) for number, node in enumerate(graph.nodes)
    }
    assert set(edges.values()) == {"received by"}
