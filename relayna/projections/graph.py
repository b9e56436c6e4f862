"""The execution graph: the shape of the answer, as documented in docs/architecture.md.

Owns the contract's structs; JSON has the same fields in the same order. Fields are only ever added,
as optional ones, and annotations that do not apply are left out.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct, field

__all__ = [
    "EdgeKind",
    "ExecutionGraph",
    "ExecutionGraphEdge",
    "ExecutionGraphNode",
    "ExecutionGraphSummary",
    "NodeKind",
    "NodeState",
    "encode_graph",
]

NodeKind: TypeAlias = Literal[
    "task",
    "task_attempt",
    "workflow_message",
    "stage_attempt",
    "status_event",
    "retry",
    "dlq_record",
    "aggregation_child",
    "resource_sample",
    "opaque_event",  # a record of a type or version that this release does not know
]

EdgeKind: TypeAlias = Literal[
    "received_by",
    "entered_stage",
    "stage_transitioned_to",
    "manual_retry_to",
    "replayed_as",
    "retried_as",
    "dead_lettered_to",
    "published_status",
    "aggregated_into",
    "joined_from",
]

NodeState: TypeAlias = Literal[
    "queued", "running", "retrying", "succeeded", "failed", "dead_lettered", "replayed", "abandoned", "unknown"
]  # fmt: skip


class ExecutionGraphNode(Struct, kw_only=True, gc=False):
    """A thing that was or happened."""

    id: str
    """Readable and unique in the graph; numbered, so it may change between versions. Link by `annotations.ref`."""
    kind: NodeKind
    task_id: str
    label: str
    timestamp: str | None
    """ISO 8601 with `+00:00`, as the worker's own clock told it; null for roots and untimed records."""
    annotations: dict[str, Any]  # Any: JSON values; docs/architecture.md lists the names


class ExecutionGraphEdge(Struct, kw_only=True, gc=False):
    """What led from one node to another; `annotations.evidence` says whether it was observed or inferred."""

    source: str
    target: str
    kind: EdgeKind
    timestamp: str | None
    annotations: dict[str, Any]  # Any: JSON values; docs/architecture.md lists the names


class ExecutionGraphSummary(Struct, kw_only=True):
    """The run in one line."""

    status: str | None
    """The latest status of the root task; null when none was published."""
    started_at: str | None
    ended_at: str | None
    duration_ms: int | None
    graph_completeness: Literal["full", "partial"]
    """`full` only when there are observations and nothing is known to be missing."""


class ExecutionGraph(Struct, kw_only=True):
    """What happened to a task, what caused what, and what is missing."""

    task_id: str
    topology_kind: str | None
    summary: ExecutionGraphSummary
    nodes: list[ExecutionGraphNode]
    edges: list[ExecutionGraphEdge]
    annotations: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    related_task_ids: list[str] = field(default_factory=list)


_encoder = msgspec.json.Encoder()


def encode_graph(graph: ExecutionGraph) -> bytes:
    """The graph as JSON, the same bytes for the same graph."""
    return _encoder.encode(graph)
