"""relayna: what happened to this task, what caused what, and why is it slow, stuck or dead?

Workers record facts into Redis or Valkey streams while they work; on demand, pure projections replay a
task's stream into an execution graph. The names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from relayna.consumer import (
        AggregationConsumer,
        MemoryBroker,
        RelaynaClient,
        RetryPolicy,
        RunStart,
        TaskConsumer,
        TaskRequest,
        WorkflowConsumer,
        run_consumers,
    )
    from relayna.consumer.rabbitmq import RabbitMQBroker
    from relayna.observability import ExecutionGraphService, build_execution_graph, execution_graph_mermaid
    from relayna.streams import MemoryLog, Recorder
    from relayna.streams.redis import RedisLog
    from relayna.topologies import (
        ContractAliasConfig,
        RoutedTasksSharedStatusShardedAggregationTopology,
        RoutedTasksSharedStatusTopology,
        SharedStatusWorkflowTopology,
        SharedTasksSharedStatusShardedAggregationTopology,
        SharedTasksSharedStatusTopology,
        WorkflowEntryRoute,
        WorkflowStage,
    )

__all__ = [
    # workers
    "AggregationConsumer", "MemoryBroker", "RelaynaClient", "RetryPolicy", "RunStart", "TaskConsumer",
    "TaskRequest", "WorkflowConsumer", "run_consumers", "RabbitMQBroker",
    # recording
    "MemoryLog", "Recorder", "RedisLog",
    # reading
    "ExecutionGraphService", "build_execution_graph", "execution_graph_mermaid",
    # topologies
    "RoutedTasksSharedStatusShardedAggregationTopology", "RoutedTasksSharedStatusTopology",
    "SharedStatusWorkflowTopology", "SharedTasksSharedStatusShardedAggregationTopology",
    "SharedTasksSharedStatusTopology", "WorkflowEntryRoute", "WorkflowStage", "ContractAliasConfig",
]  # fmt: skip

_HOMES: Final = {
    **dict.fromkeys(__all__[:9], "relayna.consumer"),
    "RabbitMQBroker": "relayna.consumer.rabbitmq",
    **dict.fromkeys(("MemoryLog", "Recorder"), "relayna.streams"),
    "RedisLog": "relayna.streams.redis",
    **dict.fromkeys(__all__[13:16], "relayna.observability"),
    **dict.fromkeys(__all__[16:], "relayna.topologies"),
}


def __getattr__(name: str) -> Any:  # Any: whatever the name stands for
    """Load a public name from its home (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
