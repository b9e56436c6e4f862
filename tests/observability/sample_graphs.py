"""Graphs made by hand for the tests of renderers, written as a reader would tell the run."""

from __future__ import annotations

from typing import Any

from relayna.instants import Instant, format_instant
from relayna.projections.graph import (
    EdgeKind,
    ExecutionGraph,
    ExecutionGraphEdge,
    ExecutionGraphNode,
    ExecutionGraphSummary,
    NodeKind,
)

START = 1_767_225_600_000_000  # 2026-01-01, in microseconds


def at(seconds: float | None) -> str | None:
    """So many seconds after the start of the run, as graphs write it."""
    return None if seconds is None else format_instant(Instant(START + round(seconds * 1_000_000)))


class GraphSketch:
    """Collects nodes and edges in the order in which they are told."""

    def __init__(self, task_id: str = "order-7", *, kind: str = "routed_tasks_shared_status") -> None:
        self.task_id = task_id
        self._kind = kind
        self._nodes: list[ExecutionGraphNode] = []
        self._edges: list[ExecutionGraphEdge] = []

    def node(
        self,
        node_id: str,
        kind: NodeKind,
        label: str,
        time: float | None = None,
        *,
        task_id: str | None = None,
        **annotations: Any,
    ) -> GraphSketch:
        self._nodes.append(
            ExecutionGraphNode(
                id=node_id,
                kind=kind,
                task_id=task_id or self.task_id,
                label=label,
                timestamp=at(time),
                annotations={"ref": node_id, **annotations},
            )
        )
        return self

    def edge(self, source: str, kind: EdgeKind, target: str, **annotations: Any) -> GraphSketch:
        self._edges.append(
            ExecutionGraphEdge(
                source=source,
                target=target,
                kind=kind,
                timestamp=at(0),
                annotations={"evidence": "observed", **annotations},
            )
        )
        return self

    def graph(
        self, status: str | None = None, took: float | None = None, **annotations: Any
    ) -> ExecutionGraph:
        return ExecutionGraph(
            task_id=self.task_id,
            topology_kind=self._kind,
            summary=ExecutionGraphSummary(
                status=status,
                started_at=at(0),
                ended_at=at(took),
                duration_ms=None if took is None else round(took * 1000),
                graph_completeness="partial" if annotations.get("completeness") else "full",
            ),
            nodes=self._nodes,
            edges=self._edges,
            annotations=annotations,
        )


def failing_run() -> ExecutionGraph:
    """Two attempts time out, a retry lies between them, the second is dead-lettered; one ack was lost."""
    delivery = {"task_type": "email", "queue_name": "tasks.email", "consumer_name": "worker-1"}
    timeout = {
        "exception_type": "TimeoutError",
        "exception_message": "no answer from smtp.example within 1 s (3 addresses tried)",
    }
    sketch = GraphSketch()
    sketch.node("task:order-7", "task", "order-7", state="dead_lettered")
    sketch.node(
        "task-attempt:order-7:1", "task_attempt", "order-7 attempt 1", 0.012,
        state="failed", outcome="retried", duration_ms=1204, queue_wait_ms=12, anomalies=["lost_ack"],
        **delivery, **timeout,
    )  # fmt: skip
    sketch.node("status:order-7:1", "status_event", "processing", 0.013)
    sketch.node("status:order-7:2", "status_event", "retrying", 1.215)
    sketch.node(
        "retry:order-7:1",
        "retry",
        "retry 1",
        1.216,
        state="retrying",
        delay_ms=30_000,
        reason="handler_failed",
    )
    sketch.node(
        "task-attempt:order-7:2", "task_attempt", "order-7 attempt 2", 31.22,
        state="dead_lettered", duration_ms=1011, queue_wait_ms=4, **delivery, **timeout,
    )  # fmt: skip
    sketch.node("status:order-7:3", "status_event", "processing", 31.221)
    sketch.node("status:order-7:4", "status_event", "failed", 32.23, state="failed")
    sketch.node(
        "dlq:order-7:1", "dlq_record", "retries_exhausted", 32.231, state="dead_lettered",
        reason="retries_exhausted", exception_type="TimeoutError", source_queue_name="tasks.email",
    )  # fmt: skip
    sketch.edge("task:order-7", "received_by", "task-attempt:order-7:1")
    sketch.edge("task-attempt:order-7:1", "published_status", "status:order-7:1")
    sketch.edge("task-attempt:order-7:1", "published_status", "status:order-7:2")
    sketch.edge("task-attempt:order-7:1", "retried_as", "retry:order-7:1")
    sketch.edge("retry:order-7:1", "received_by", "task-attempt:order-7:2", birth=True)
    sketch.edge("task-attempt:order-7:2", "published_status", "status:order-7:3")
    sketch.edge(
        "task-attempt:order-7:2",
        "published_status",
        "status:order-7:4",
        evidence="inferred",
        rule="latest_attempt",
    )
    sketch.edge("task-attempt:order-7:2", "dead_lettered_to", "dlq:order-7:1")
    return sketch.graph(
        "failed", 32.23,
        completeness=["gap"],
        gaps=[{"reason": "gap", "task_id": "order-7", "attempt": "00000000000000a2", "missing": [[3, 4]]}],
        warnings=[{"code": "bad_timestamp", "detail": "a status record has no timestamp"}],
    )  # fmt: skip


def fan_in(children: int = 12, failing: int = 3) -> ExecutionGraph:
    """A task with many children of which one failed for good and another only on the way."""
    sketch = GraphSketch(kind="shared_tasks_shared_status_sharded_aggregation")
    sketch.node("task:order-7", "task", "order-7", state="running")
    for number in range(children):
        child = f"child-{number:03}"
        state = "failed" if number == failing else "succeeded"
        sketch.node(f"aggregation_child:{child}", "aggregation_child", child, task_id=child, state=state)
        sketch.edge(f"aggregation_child:{child}", "aggregated_into", "task:order-7")
        outcomes = ["failed", "succeeded"] if number == 1 else [state]
        above = f"aggregation_child:{child}"
        for attempt, outcome in enumerate(outcomes, 1):
            node_id = f"task-attempt:{child}:{attempt}"
            label = f"{child} attempt {attempt}"
            sketch.node(node_id, "task_attempt", label, number + attempt, task_id=child, state=outcome)
            sketch.edge(above, "received_by", node_id)
    return sketch.graph("processing")


def workflow_run() -> ExecutionGraph:
    """One stage fans out into two branches, one of which goes on."""
    sketch = GraphSketch("scan-1", kind="shared_status_workflow")
    sketch.node("task:scan-1", "task", "scan-1", state="succeeded")
    told = [
        ("m1", "workflow_message", "ingest", "task:scan-1", "received_by"),
        ("a1", "stage_attempt", "ingest attempt 1", "m1", "entered_stage"),
        ("m2", "workflow_message", "resize", "a1", "stage_transitioned_to"),
        ("m3", "workflow_message", "classify", "a1", "stage_transitioned_to"),
        ("a2", "stage_attempt", "resize attempt 1", "m2", "entered_stage"),
        ("a3", "stage_attempt", "classify attempt 1", "m3", "entered_stage"),
        ("m4", "workflow_message", "publish", "a3", "stage_transitioned_to"),
        ("a4", "stage_attempt", "publish attempt 1", "m4", "entered_stage"),
    ]
    for number, (node_id, kind, label, above, edge) in enumerate(told):
        sketch.node(node_id, kind, label, number / 10, state="succeeded")  # type: ignore[arg-type]
        sketch.edge(above, edge, node_id)  # type: ignore[arg-type]
    sketch.edge("m2", "joined_from", "a4")
    return sketch.graph("completed", 0.8)
