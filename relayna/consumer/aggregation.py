"""The consumer of what children report for their parents, on the shards of an aggregation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from relayna.consumer.attempts.facts import AggregationFacts
from relayna.consumer.attempts.task_context import TaskContext
from relayna.consumer.client import RelaynaClient
from relayna.consumer.consumer import ConsumedQueue, Consumer
from relayna.consumer.messages.envelopes import StatusEnvelope
from relayna.errors import InvalidTopology
from relayna.topologies import aggregation_queue, topology_kind

__all__ = ["AggregationConsumer", "AggregationHandler"]

AggregationHandler = Callable[[StatusEnvelope, TaskContext], Awaitable[object] | object]
"""A coroutine function, or a plain function, which then runs in a thread. What it returns is not used."""


class AggregationConsumer(Consumer[StatusEnvelope]):
    """Handles the reports on its shards (all of them unless told otherwise), each as an attempt of the child.

    Publishes no lifecycle statuses: what it handles is a report of the child, not the child's work. Takes
    the other options of `Consumer`.
    """

    def __init__(
        self,
        *,
        rabbitmq: RelaynaClient,
        handler: AggregationHandler,
        shards: Iterable[int] | None = None,
        lifecycle_statuses: bool = False,
        **options: Any,  # Any: the options of Consumer, checked there
    ) -> None:
        topology = rabbitmq.topology
        count = getattr(topology, "shard_count", None)
        if count is None:
            kind = topology_kind(topology)
            raise InvalidTopology("shard_count", f"a {kind} has no shards; use a ShardedAggregation topology")
        queues = [
            (shard, aggregation_queue(topology, shard))
            for shard in (range(count) if shards is None else shards)
        ]
        super().__init__(
            rabbitmq=rabbitmq,
            handler=handler,
            queues=tuple(ConsumedQueue(name=name, place=name, shard=shard) for shard, name in queues),
            envelope=StatusEnvelope,
            facts=AggregationFacts(),
            context=TaskContext,
            lifecycle_statuses=lifecycle_statuses,
            **options,
        )
