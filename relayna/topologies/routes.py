"""Questions to any topology: where a message goes, which queue it comes from.

Owns the public functions; each variant's own answers come from its registration. Pure, and cheap
enough to be asked for every message. What a broker must have is in `broker_setup.py`.
"""

from __future__ import annotations

import hashlib

from relayna.errors import InvalidQuery
from relayna.topologies.aggregation_shards import AggregationShards, shard_key, shard_of, shard_queue
from relayna.topologies.layout import dead_letter_exchange
from relayna.topologies.naming import as_short_string
from relayna.topologies.registry import variant_of
from relayna.topologies.stages import Workflow, WorkflowStage
from relayna.topologies.topology import DEFAULT_TERMINAL_STATUSES, Route, Topology, TopologyKind

__all__ = [
    "aggregation_queue",
    "aggregation_route",
    "aggregation_shard",
    "consumed_queues",
    "dead_letter_route",
    "entry_route",
    "recorded_queues",
    "stage_named",
    "stage_route",
    "status_route",
    "task_route",
    "terminal_statuses",
    "topology_kind",
]


def topology_kind(topology: Topology) -> TopologyKind:
    """The name of the variant, as graphs and frames carry it."""
    return variant_of(topology).kind


def consumed_queues(topology: Topology) -> tuple[str, ...]:
    """The queues that somebody takes messages from: work, statuses, then aggregation shards."""
    return tuple(queue.name for queue in variant_of(topology).layout(topology).queues)


def recorded_queues(topology: Topology) -> tuple[str, ...]:
    """The queues whose dead letters are part of their tasks' histories: all but that of statuses."""
    return tuple(queue.name for queue in variant_of(topology).layout(topology).queues if queue.is_work)


def terminal_statuses(topology: Topology) -> frozenset[str]:
    """Statuses after which a task is over: the usual ones and the topology's own."""
    return frozenset((*DEFAULT_TERMINAL_STATUSES, *topology.terminal_statuses))


def task_route(topology: Topology, task_type: str | None = None) -> Route:
    """Where a task is published. Routed topologies need its type; a workflow has entries instead.

    Raises `InvalidQuery`.
    """
    variant = variant_of(topology)
    if variant.task_route is None:
        raise InvalidQuery("topology", f"{variant.kind} has no tasks; use entry_route() or stage_route()")
    return variant.task_route(topology, task_type)


def status_route(topology: Topology, task_id: str) -> Route:
    """Where a status of the task is published; the key is the task id, or its SHA-256 where it must be."""
    key = as_short_string(task_id)
    variant = variant_of(topology)
    if variant.shards is not None and key.startswith(f"{variant.shards(topology).routing_prefix}."):
        key = hashlib.sha256(key.encode()).hexdigest()  # or a status would land in an aggregator's queue
    return Route(topology.status_exchange, key)


def aggregation_shard(topology: Topology, parent_task_id: str) -> int:
    """The shard that gathers this parent's children. Raises `InvalidQuery` without aggregation."""
    return shard_of(_shards(topology), parent_task_id)


def aggregation_queue(topology: Topology, shard: int) -> str:
    """The queue of a shard. Raises `InvalidQuery` without aggregation, or for a shard that is not there."""
    shards = _shards(topology)
    if not 0 <= shard < shards.count:
        raise InvalidQuery("shard", f"{shard} is not between 0 and {shards.count - 1}")
    return shard_queue(shards, shard)


def aggregation_route(topology: Topology, parent_task_id: str) -> Route:
    """Where a message about a child of this parent is published. Raises `InvalidQuery` without aggregation."""
    shards = _shards(topology)
    return Route(topology.status_exchange, shard_key(shards, shard_of(shards, parent_task_id)))


def stage_named(topology: Topology, name: str) -> WorkflowStage:
    """The stage of a workflow. Raises `InvalidQuery` when there is none of that name."""
    stages = _workflow(topology).stages
    for stage in stages:
        if stage.name == name:
            return stage
    known = ", ".join(stage.name for stage in stages)
    raise InvalidQuery("stage", f"there is no stage {name!r}; the stages are {known}")


def stage_route(topology: Topology, stage_name: str) -> Route:
    """Where a message to the stage is published. Raises `InvalidQuery`."""
    return Route(_workflow(topology).exchange, stage_named(topology, stage_name).publish_routing_key)


def entry_route(topology: Topology, name: str) -> Route:
    """Where a message that enters the workflow this way is published. Raises `InvalidQuery`."""
    workflow = _workflow(topology)
    for entry in workflow.entries:
        if entry.name == name:
            return Route(workflow.exchange, entry.routing_key)
    known = ", ".join(entry.name for entry in workflow.entries) or "none; use stage_route()"
    raise InvalidQuery("entry_route", f"there is no entry route {name!r}; the entry routes are {known}")


def dead_letter_route(topology: Topology, queue: str) -> Route:
    """Where a given-up message of the queue is published."""
    return Route(dead_letter_exchange(topology), queue)


def _shards(topology: Topology) -> AggregationShards:
    variant = variant_of(topology)
    if variant.shards is None:
        raise InvalidQuery(
            "topology", f"{variant.kind} has no aggregation; use a ShardedAggregation topology"
        )
    return variant.shards(topology)


def _workflow(topology: Topology) -> Workflow:
    variant = variant_of(topology)
    if variant.workflow is None:
        raise InvalidQuery("topology", f"{variant.kind} has no stages; use a SharedStatusWorkflowTopology")
    return variant.workflow(topology)
