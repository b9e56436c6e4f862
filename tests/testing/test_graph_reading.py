"""Short questions to graphs."""

from __future__ import annotations

import pytest

from relayna.testing import births, edges, given, history, node, nodes, observed_edges

GRAPH = given(history("T").published().attempt().retried().attempt().events).when().answer


def test_nodes_and_edges() -> None:
    assert node(GRAPH, "task:T").kind == "task"
    assert [one.label for one in nodes(GRAPH, "retry")] == ["retry 1"]
    assert edges(GRAPH, "retried_as") == [("task-attempt:T:1", "retry:T:1")]
    assert [edge.source for edge in births(GRAPH, "task-attempt:T:2")] == ["retry:T:1"]


def test_what_is_observed_is_told_by_refs() -> None:
    assert ("task T", "received_by", "task_attempt 0000000000000002") in observed_edges(GRAPH)


def test_an_unknown_node_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(KeyError, match="retry:T:1"):
        node(GRAPH, "retry:T:2")
