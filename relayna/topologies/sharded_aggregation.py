"""Shared or routed tasks whose children report to aggregators, spread over shards by parent.

Owns both variants' fields and layouts. The sharding rule is in `aggregation_shards.py`.
"""

from __future__ import annotations

from typing import TypeAlias

from relayna.topologies.aggregation_shards import AggregationShards, check_shards, shard_key, shard_queue
from relayna.topologies.layout import ConsumedQueue, Layout, check_layout
from relayna.topologies.routed import RoutedTasksSharedStatusTopology, routed_layout, routed_task_route
from relayna.topologies.shared import SharedTasksSharedStatusTopology, shared_layout, shared_task_route
from relayna.topologies.topology import Route
from relayna.topologies.variant import TopologyVariant

__all__ = [
    "ROUTED_TASKS_SHARDED_AGGREGATION",
    "SHARED_TASKS_SHARDED_AGGREGATION",
    "RoutedTasksSharedStatusShardedAggregationTopology",
    "SharedTasksSharedStatusShardedAggregationTopology",
]


class SharedTasksSharedStatusShardedAggregationTopology(
    SharedTasksSharedStatusTopology, frozen=True, kw_only=True
):
    """One queue for tasks, and `shard_count` queues for aggregation. Raises `InvalidTopology`."""

    shard_count: int
    aggregation_routing_prefix: str
    """A shard's routing key on the status exchange is this, a dot and its number."""
    aggregation_queue_template: str
    """A shard's queue, with `{shard}` where its number goes."""

    def __post_init__(self) -> None:
        """Check the fields, then that no name stands for two things."""
        super().__post_init__()
        check_shards(_shards(self))
        check_layout(_shared_sharded_layout(self), self)


class RoutedTasksSharedStatusShardedAggregationTopology(
    RoutedTasksSharedStatusTopology, frozen=True, kw_only=True
):
    """Tasks routed by type, and `shard_count` queues for aggregation. Raises `InvalidTopology`."""

    shard_count: int
    aggregation_routing_prefix: str
    """A shard's routing key on the status exchange is this, a dot and its number."""
    aggregation_queue_template: str
    """A shard's queue, with `{shard}` where its number goes."""

    def __post_init__(self) -> None:
        """Check the fields, then that no name stands for two things."""
        super().__post_init__()
        check_shards(_shards(self))
        check_layout(_routed_sharded_layout(self), self)


_Sharded: TypeAlias = (
    SharedTasksSharedStatusShardedAggregationTopology | RoutedTasksSharedStatusShardedAggregationTopology
)


def _shards(topology: _Sharded) -> AggregationShards:
    return AggregationShards(
        count=topology.shard_count,
        routing_prefix=topology.aggregation_routing_prefix,
        queue_template=topology.aggregation_queue_template,
    )


def _aggregation_layout(topology: _Sharded) -> Layout:
    shards = _shards(topology)
    queues = tuple(
        ConsumedQueue(
            name=shard_queue(shards, shard),
            consumer=f"aggregator of shard {shard}",
            bindings=(Route(topology.status_exchange, shard_key(shards, shard)),),
            publishes_to=(topology.status_exchange,),
        )
        for shard in range(shards.count)
    )
    return Layout(exchanges=(), queues=queues, sources=())


def _shared_sharded_layout(topology: SharedTasksSharedStatusShardedAggregationTopology) -> Layout:
    return shared_layout(topology) + _aggregation_layout(topology)


def _routed_sharded_layout(topology: RoutedTasksSharedStatusShardedAggregationTopology) -> Layout:
    return routed_layout(topology) + _aggregation_layout(topology)


SHARED_TASKS_SHARDED_AGGREGATION = TopologyVariant(
    kind="shared_tasks_shared_status_sharded_aggregation",
    struct=SharedTasksSharedStatusShardedAggregationTopology,
    layout=_shared_sharded_layout,
    task_route=shared_task_route,
    shards=_shards,
)

ROUTED_TASKS_SHARDED_AGGREGATION = TopologyVariant(
    kind="routed_tasks_shared_status_sharded_aggregation",
    struct=RoutedTasksSharedStatusShardedAggregationTopology,
    layout=_routed_sharded_layout,
    task_route=routed_task_route,
    shards=_shards,
)
