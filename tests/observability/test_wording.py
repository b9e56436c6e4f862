"""Words for graphs: states, times and what is missing, from annotations of any shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observability.sample_graphs import GraphSketch, failing_run

from relayna.instants import Instant
from relayna.observability.run_tree import Fold
from relayna.observability.wording import (
    anomalies,
    duration_words,
    evidence_words,
    exception_words,
    fold_words,
    node_details,
    node_name,
    node_state,
    reasons,
    relative_time,
    remarks,
    state_words,
    took,
)
from relayna.projections.graph import ExecutionGraphNode, NodeKind


def node(
    kind: NodeKind = "task_attempt", label: str = "order-7 attempt 1", **annotations: Any
) -> ExecutionGraphNode:
    return GraphSketch().node("x", kind, label, **annotations).graph().nodes[0]


def test_what_a_worker_gave_back_was_not_abandoned() -> None:
    assert state_words(node(state="abandoned", outcome="released")) == "given back"
    assert state_words(node(state="abandoned", outcome="abandoned")) == "abandoned"
    assert state_words(node(state="failed")) == "failed"


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (1_010, "1.01 s"),
        (59_999, "59.999 s"),
        (60_000, "1 min 00 s"),
        (3_599_999, "59 min 59 s"),
        (3_600_000, "1 h 00 min"),
        (172_799_999, "47 h 59 min"),
        (172_800_000, "2 d 00 h"),
    ],
)
def test_durations(milliseconds: int, words: str) -> None:
    assert duration_words(milliseconds) == words


@pytest.mark.parametrize(
    ("micros", "words"),
    [
        (0, "+0.000 s"),
        (1_499, "+0.001 s"),
        (61_204_000, "+61.204 s"),
        (1_000_000_000, "+16 min 40 s"),
        (-4_000, "-0.004 s"),
    ],
)
def test_relative_times(micros: int, words: str) -> None:
    start = Instant(1_767_225_600_000_000)
    assert relative_time(Instant(start + micros), start) == words


@pytest.mark.parametrize(
    ("kind", "label", "name"),
    [
        ("task", "order-7", "order-7"),
        ("task_attempt", "order-7 attempt 1", "attempt 1"),
        ("stage_attempt", "order-7 attempt 1", "order-7 attempt 1"),
        ("status_event", "processing", "status processing"),
        ("retry", "retry 1", "retry 1"),
        ("dlq_record", "poison", "dead letter: poison"),
        ("workflow_message", "resize", "message to resize"),
        ("aggregation_child", "child-1", "child child-1"),
    ],
)
def test_names(kind: NodeKind, label: str, name: str) -> None:
    assert node_name(node(kind, label), beside_its_task=True) == name


def test_an_attempt_names_its_task_when_it_stands_alone() -> None:
    assert node_name(node()) == "order-7 attempt 1"


def test_states() -> None:
    assert node_state(node(state="failed")) == "failed"
    assert node_state(node("dlq_record")) == "dead_lettered"
    assert node_state(node()) == node_state(node(state=7)) == "unknown"


def test_details_in_the_order_in_which_they_matter() -> None:
    attempt = node(
        state="failed", duration_ms=1_204, queue_wait_ms=12, anomalies=["lost_ack"], task_type="email",
        queue_name="tasks.email", consumer_name="worker-1", exception_type="TimeoutError",
    )  # fmt: skip
    assert took(attempt) == "1.204 s"
    assert node_details(attempt) == [
        "lost_ack", "TimeoutError", "type email", "from tasks.email", "by worker-1", "waited 12 ms",
    ]  # fmt: skip
    retry = node("retry", "retry 1", delay_ms=30_000, reason="handler_failed")
    assert node_details(retry) == ["after 30 s", "handler_failed"]
    dead_letter = node(
        "dlq_record", "poison", reason="poison", state="replayed", source_queue_name="tasks.email"
    )
    assert node_details(dead_letter) == ["replayed", "from tasks.email"]
    assert node_details(node()) == []


def test_exceptions() -> None:
    assert exception_words(node(exception_type="TimeoutError", exception_message="no answer")) == (
        "TimeoutError: no answer"
    )
    assert exception_words(node(exception_message="no answer")) == "exception: no answer"
    assert exception_words(node(exception_type="TimeoutError")) is None


def test_what_was_inferred_is_marked_and_its_rules_are_counted() -> None:
    sketch = GraphSketch().edge("a", "received_by", "b", evidence="inferred", rule="latest_attempt")
    sketch.edge("a", "received_by", "c").edge(
        "a", "received_by", "d", evidence="inferred", rule="latest_attempt"
    )
    graph = sketch.graph()
    assert [evidence_words(edge) for edge in graph.edges] == ["inferred", None, "inferred"]
    assert evidence_words(None) is None
    assert remarks(graph) == {"Inferred": ["2 of 3 edges by latest_attempt"]}


def test_folds() -> None:
    nodes = tuple(node("aggregation_child", f"child-{number}") for number in range(1_200))
    fold = Fold(kind="aggregation_child", state="succeeded", nodes=nodes, after_failures=3)
    assert fold_words(fold) == (
        "1,200 children succeeded, 3 of them after a failed attempt (child-0, child-1, child-2, …)"
    )


def test_remarks_of_a_failing_run() -> None:
    assert reasons(failing_run()) == ["gap"]
    assert remarks(failing_run()) == {
        "Anomalies": ["lost_ack: order-7 attempt 1"],
        "Missing": ["gap: task_id order-7, attempt 00000000000000a2, missing [[3, 4]]"],
        "Inferred": ["1 of 8 edges by latest_attempt"],
        "Warnings": ["bad_timestamp: a status record has no timestamp"],
    }


def test_a_cut_says_how_to_go_on() -> None:
    sketch = GraphSketch()
    cut = {"max_nodes": {"nodes_left_out": 7, "hint": "ask again with max_nodes=12"}}
    assert remarks(sketch.graph(truncated=cut)) == {
        "Cut": ["max_nodes: nodes_left_out 7, hint ask again with max_nodes=12"]
    }
    assert remarks(sketch.graph(truncated=True)) == {"Cut": ["more is known than this graph holds"]}


def test_many_remarks_are_counted() -> None:
    warnings = [{"code": "bad_field", "detail": str(number)} for number in range(1_021)]
    shown = remarks(GraphSketch().graph(warnings=warnings))["Warnings"]
    assert (len(shown), shown[-1]) == (21, "and 1,001 more")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = [
    "state", "anomalies", "duration_ms", "delay_ms", "queue_wait_ms", "reason", "task_type", "queue_name",
    "exception_type", "exception_message", "completeness", "gaps", "warnings", "truncated",
]  # fmt: skip


@given(
    notes=st.dictionaries(st.sampled_from(NAMES), json_values),
    kind=st.sampled_from(["task_attempt", "retry"]),
)
def test_annotations_of_any_shape_are_told_as_text(notes: dict[str, Any], kind: NodeKind) -> None:
    one = node(kind, **notes)
    graph = GraphSketch().graph(**notes)
    graph.nodes.append(one)
    told = [*node_details(one), *anomalies(one), *reasons(graph), node_state(one), exception_words(one) or ""]
    told += [line for lines in remarks(graph).values() for line in lines]
    assert all(isinstance(text, str) for text in told)
