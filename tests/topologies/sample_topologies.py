"""One topology of each variant, for tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from relayna.topologies import (
    RoutedTasksSharedStatusShardedAggregationTopology,
    RoutedTasksSharedStatusTopology,
    SharedStatusWorkflowTopology,
    SharedTasksSharedStatusShardedAggregationTopology,
    SharedTasksSharedStatusTopology,
    Topology,
    WorkflowEntryRoute,
    WorkflowStage,
)

URL = "amqp://ada:hunter2@broker.example:5672/orders"

COMMON: dict[str, Any] = {"rabbitmq_url": URL, "status_exchange": "status", "status_queue": "status.hub"}
TASKS: dict[str, Any] = {**COMMON, "tasks_exchange": "tasks", "tasks_queue": "tasks.all"}
SHARDS: dict[str, Any] = {
    "shard_count": 3,
    "aggregation_routing_prefix": "aggregation",
    "aggregation_queue_template": "aggregation.{shard}.queue",
}


def shared(**changes: Any) -> SharedTasksSharedStatusTopology:
    return SharedTasksSharedStatusTopology(**{**TASKS, "tasks_routing_key": "task", **changes})


def routed(**changes: Any) -> RoutedTasksSharedStatusTopology:
    return RoutedTasksSharedStatusTopology(**{**TASKS, "task_types": ("email", "invoice"), **changes})


def shared_sharded(**changes: Any) -> SharedTasksSharedStatusShardedAggregationTopology:
    fields = {**TASKS, **SHARDS, "tasks_routing_key": "task", **changes}
    return SharedTasksSharedStatusShardedAggregationTopology(**fields)


def routed_sharded(**changes: Any) -> RoutedTasksSharedStatusShardedAggregationTopology:
    fields = {**TASKS, **SHARDS, "task_types": ("email", "invoice"), **changes}
    return RoutedTasksSharedStatusShardedAggregationTopology(**fields)


def stage(name: str = "ingest", **changes: Any) -> WorkflowStage:
    fields = {
        "name": name,
        "queue": f"scan.{name}",
        "binding_keys": (f"scan.{name}.#",),
        "publish_routing_key": f"scan.{name}.go",
    }
    return WorkflowStage(**{**fields, **changes})


def workflow(**changes: Any) -> SharedStatusWorkflowTopology:
    fields = {
        **COMMON,
        "workflow_exchange": "scans",
        "stages": (stage("ingest"), stage("resize")),
        "entry_routes": (WorkflowEntryRoute(name="upload", routing_key="upload.new", target_stage="ingest"),),
    }
    return SharedStatusWorkflowTopology(**{**fields, **changes})


def hostile_workflow(names: Iterable[str]) -> SharedStatusWorkflowTopology:
    """A workflow whose stages and queues have these names."""
    stages = [
        WorkflowStage(
            name=name, queue=f"{name} queue", binding_keys=[f"k{number}"], publish_routing_key=f"k{number}"
        )
        for number, name in enumerate(names)
    ]
    return workflow(stages=stages, entry_routes=())


SAMPLES: dict[str, Topology] = {
    "shared": shared(),
    "routed": routed(),
    "shared_sharded": shared_sharded(),
    "routed_sharded": routed_sharded(),
    "workflow": workflow(),
    "dead_letter_exchange": routed_sharded(dead_letter_exchange="dead", max_priority=9),
}
