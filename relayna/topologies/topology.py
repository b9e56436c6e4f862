"""What every topology has: a kind, where it lives and its common settings. Owns no variant."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = ["TOPOLOGY_KINDS", "TopologyKind"]

TopologyKind: TypeAlias = Literal[
    "shared_tasks_shared_status",
    "routed_tasks_shared_status",
    "shared_tasks_shared_status_sharded_aggregation",
    "routed_tasks_shared_status_sharded_aggregation",
    "shared_status_workflow",
]

TOPOLOGY_KINDS: Final[tuple[TopologyKind, ...]] = (
    "shared_tasks_shared_status",
    "routed_tasks_shared_status",
    "shared_tasks_shared_status_sharded_aggregation",
    "routed_tasks_shared_status_sharded_aggregation",
    "shared_status_workflow",
)
