"""Execution graphs as Mermaid: meaning of shapes and colours. The real parser is asked in tests/mermaid."""

from __future__ import annotations

from typing import get_args

import pytest
from observability.sample_graphs import GraphSketch, failing_run, fan_in

from relayna.observability.mermaid import execution_graph_mermaid
from relayna.projections.graph import NodeKind, NodeState


def drawn_node(kind: NodeKind = "task_attempt", **annotations: object) -> str:
    sketch = GraphSketch().node("x", kind, "label", **annotations)
    return execution_graph_mermaid(sketch.graph()).splitlines()[1].strip()


def test_a_failing_run_in_full() -> None:
    lines = execution_graph_mermaid(failing_run()).splitlines()
    assert [line.strip() for line in lines if "classDef" not in line] == [
        "flowchart TD",
        'note0["partial: gap"]:::note',
        'n0(["order-7<br/>dead_lettered"]):::dead_lettered',
        'n1["order-7 attempt 1<br/>failed, TimeoutError, lost_ack"]:::failed',
        'n2("processing")',
        'n3("retrying")',
        'n4{{"retry 1"}}:::retrying',
        'n5["order-7 attempt 2<br/>dead_lettered, TimeoutError"]:::dead_lettered',
        'n6("processing")',
        'n7("failed"):::failed',
        'n8[("retries_exhausted<br/>dead_lettered, TimeoutError")]:::dead_lettered',
        'n0 -->|"received by"| n1',
        'n1 -->|"published status"| n2',
        'n1 -->|"published status"| n3',
        'n1 -->|"retried as"| n4',
        'n4 -->|"received by"| n5',
        'n5 -->|"published status"| n6',
        'n5 -.->|"published status"| n7',
        'n5 -->|"dead lettered to"| n8',
    ]


@pytest.mark.parametrize("state", get_args(NodeState))
def test_each_state_has_its_class_and_says_its_word(state: str) -> None:
    assert drawn_node(state=state) == f'n0["label<br/>{state}"]:::{state}'


def test_what_is_unknown_is_drawn_plainly() -> None:
    assert drawn_node(state="<invented>") == 'n0["label"]'
    assert drawn_node("hologram") == 'n0["label"]'  # type: ignore[arg-type]
    sketch = GraphSketch().node("x", "task", "x").edge("x", "teleported_to", "x")  # type: ignore[arg-type]
    assert 'n0 -->|"other"| n0' in execution_graph_mermaid(sketch.graph())


def test_a_dead_letter_without_a_state_is_dead() -> None:
    assert drawn_node("dlq_record") == 'n0[("label<br/>dead_lettered")]:::dead_lettered'
    assert drawn_node("dlq_record", state="replayed") == 'n0[("label<br/>replayed")]:::replayed'


def test_what_the_graph_lacks_is_said_in_the_drawing() -> None:
    sketch = GraphSketch().node("x", "task", "x")
    assert "note0" not in execution_graph_mermaid(sketch.graph())
    drawn = execution_graph_mermaid(sketch.graph(completeness=["gap", "trimmed"], truncated=True))
    assert 'note0["partial: gap, trimmed"]' in drawn
    assert 'note1["truncated: ' in drawn


def test_a_failure_far_behind_survives_a_cut() -> None:
    drawn = execution_graph_mermaid(fan_in(children=5_000, failing=4_999))
    assert '"child-4999<br/>failed"' in drawn
    assert "cut: 501 of " in drawn
