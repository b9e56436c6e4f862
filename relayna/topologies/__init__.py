"""Topologies: how exchanges, queues and workers are wired, as plain data.

Owns the variants, what each asks of a broker, and where messages go. Pure: connects to nothing.
"""

from __future__ import annotations

from relayna.topologies.broker_setup import dead_letter_declarations, declarations, retry_declarations
from relayna.topologies.contract_aliases import ContractAliasConfig
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue
from relayna.topologies.mermaid import topology_mermaid
from relayna.topologies.naming import (
    as_short_string,
    dead_letter_queue_name,
    dead_letter_record_queue_name,
    retry_queue_name,
)
from relayna.topologies.registry import TOPOLOGIES
from relayna.topologies.renamed import renamed
from relayna.topologies.routed import RoutedTasksSharedStatusTopology
from relayna.topologies.routes import (
    aggregation_queue,
    aggregation_route,
    aggregation_shard,
    consumed_queues,
    dead_letter_route,
    entry_route,
    recorded_queues,
    stage_named,
    stage_route,
    status_route,
    task_route,
    terminal_statuses,
    topology_kind,
)
from relayna.topologies.sharded_aggregation import (
    RoutedTasksSharedStatusShardedAggregationTopology,
    SharedTasksSharedStatusShardedAggregationTopology,
)
from relayna.topologies.shared import SharedTasksSharedStatusTopology
from relayna.topologies.stages import WorkflowEntryRoute, WorkflowStage
from relayna.topologies.topic_keys import topic_matches
from relayna.topologies.topology import (
    DEFAULT_TERMINAL_STATUSES,
    TOPOLOGY_KINDS,
    Route,
    Topology,
    TopologyKind,
)
from relayna.topologies.variant import TopologyVariant
from relayna.topologies.workflow import SharedStatusWorkflowTopology

__all__ = [
    "DEFAULT_TERMINAL_STATUSES", "TOPOLOGIES", "TOPOLOGY_KINDS", "Route", "Topology", "TopologyKind",
    "TopologyVariant",
    # the variants
    "RoutedTasksSharedStatusShardedAggregationTopology", "RoutedTasksSharedStatusTopology",
    "SharedStatusWorkflowTopology", "SharedTasksSharedStatusShardedAggregationTopology",
    "SharedTasksSharedStatusTopology", "WorkflowEntryRoute", "WorkflowStage",
    # what a broker must have
    "Binding", "Declarations", "Exchange", "Queue", "dead_letter_declarations", "declarations",
    "retry_declarations", "topology_mermaid",
    # where messages go
    "aggregation_queue", "aggregation_route", "aggregation_shard", "consumed_queues", "dead_letter_route",
    "entry_route", "recorded_queues", "stage_named", "stage_route", "status_route", "task_route", "terminal_statuses",
    "topology_kind",
    # names and keys
    "ContractAliasConfig", "as_short_string", "dead_letter_queue_name", "dead_letter_record_queue_name", "renamed", "retry_queue_name",
    "topic_matches",
]  # fmt: skip
