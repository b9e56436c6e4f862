"""What an operator asks for: graphs, views, drawings, stores."""

from __future__ import annotations

from relayna.errors import DeadLetterNotFound
from relayna.observability.builder import Histories, build_execution_graph
from relayna.observability.checks import Check, CheckReport, StoreHealth
from relayna.observability.dead_letter_replayer import DeadLetterReplayer, ReplayOutcome, ReplayResult
from relayna.observability.dead_letter_service import DLQService
from relayna.observability.dead_letter_store import DLQStore, RedisDLQStore
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.mermaid import execution_graph_mermaid
from relayna.observability.sealer import Sealer, SealReport
from relayna.observability.stores import (
    ObservationStore,
    PlainRecord,
    RedisObservationStore,
    RedisStatusStore,
    StatusStore,
    StreamView,
    make_redis_observation_sink,
)
from relayna.observability.terminal import print_graph_table, print_graph_tree
from relayna.observability.tracing import OpenTelemetrySpans
from relayna.observability.view import ExecutionView, build_execution_view
from relayna.projections.graph import (
    ExecutionGraph,
    ExecutionGraphEdge,
    ExecutionGraphNode,
    ExecutionGraphSummary,
    encode_graph,
)
from relayna.projections.replay_plan import ReplayPlan

__all__ = [
    # the graph
    "ExecutionGraph", "ExecutionGraphEdge", "ExecutionGraphNode", "ExecutionGraphService", "ExecutionGraphSummary",
    "Histories", "build_execution_graph", "encode_graph",
    # its drawings
    "ExecutionView", "build_execution_view", "execution_graph_mermaid", "print_graph_table", "print_graph_tree",
    # views over the streams
    "DLQService", "DLQStore", "DeadLetterNotFound", "ObservationStore", "PlainRecord", "RedisDLQStore",
    "RedisObservationStore", "RedisStatusStore", "StatusStore", "StreamView", "make_redis_observation_sink",
    # the store itself
    "Check", "CheckReport", "SealReport", "Sealer", "StoreHealth",
    # spans
    "OpenTelemetrySpans",
    # replays of dead letters
    "DeadLetterReplayer", "ReplayOutcome", "ReplayPlan", "ReplayResult",
]  # fmt: skip
