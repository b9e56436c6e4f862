"""The consumer of tasks, on shared and routed queues."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from relayna.consumer.attempts.facts import TaskFacts
from relayna.consumer.attempts.task_context import TaskContext
from relayna.consumer.client import RelaynaClient
from relayna.consumer.consumer import ConsumedQueue, Consumer
from relayna.consumer.messages.envelopes import TaskEnvelope
from relayna.errors import InvalidTopology
from relayna.topologies import Topology, topology_kind

__all__ = ["TaskConsumer", "TaskHandler"]

TaskHandler = Callable[[TaskEnvelope, TaskContext], Awaitable[object] | object]
"""A coroutine function, or a plain function, which then runs in a thread. What it returns is not used."""


class TaskConsumer(Consumer[TaskEnvelope]):
    """Handles the tasks of its topology's queue.

    Takes `retry_policy`, `observation_sink`, `consumer_name`, `prefetch`, `handler_timeout` (seconds),
    `lifecycle_statuses` and `drain_seconds` besides; see `Consumer`.
    """

    def __init__(
        self,
        *,
        rabbitmq: RelaynaClient,
        handler: TaskHandler,
        **options: Any,  # Any: the options of Consumer, checked there
    ) -> None:
        queue = _tasks_queue(rabbitmq.topology)
        super().__init__(
            rabbitmq=rabbitmq,
            handler=handler,
            queues=(ConsumedQueue(name=queue, place=queue),),
            envelope=TaskEnvelope,
            facts=TaskFacts(),
            context=TaskContext,
            **options,
        )


def _tasks_queue(topology: Topology) -> str:
    queue = getattr(topology, "tasks_queue", None)
    if queue is None:
        kind = topology_kind(topology)
        raise InvalidTopology("tasks_queue", f"a {kind} has none; use WorkflowConsumer(stage=...)")
    return str(queue)
