"""The contract's shape as JSON."""

from __future__ import annotations

import json

from relayna.projections.graph import (
    ExecutionGraph,
    ExecutionGraphEdge,
    ExecutionGraphNode,
    ExecutionGraphSummary,
    encode_graph,
)


def test_json_has_the_documented_fields_in_their_order() -> None:
    summary = ExecutionGraphSummary(
        status=None, started_at=None, ended_at=None, duration_ms=None, graph_completeness="partial"
    )
    node = ExecutionGraphNode(
        id="task:T", kind="task", task_id="T", label="T", timestamp=None, annotations={}
    )
    edge = ExecutionGraphEdge(source="a", target="b", kind="received_by", timestamp=None, annotations={})
    graph = ExecutionGraph(task_id="T", topology_kind=None, summary=summary, nodes=[node], edges=[edge])
    read = json.loads(encode_graph(graph))
    assert list(read) == [
        "task_id", "topology_kind", "summary", "nodes", "edges", "annotations", "related_task_ids",
    ]  # fmt: skip
    assert list(read["summary"]) == ["status", "started_at", "ended_at", "duration_ms", "graph_completeness"]
    assert list(read["nodes"][0]) == ["id", "kind", "task_id", "label", "timestamp", "annotations"]
    assert list(read["edges"][0]) == ["source", "target", "kind", "timestamp", "annotations"]
