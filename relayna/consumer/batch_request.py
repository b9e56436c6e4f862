"""Tasks that somebody wants done, to travel in one message: what `RelaynaClient.publish_batch` makes of them.

Owns which tasks can share a message. Publishes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from relayna.consumer.messages.envelopes import BatchTaskEnvelope
from relayna.consumer.task_request import TaskRequest
from relayna.errors import InvalidQuery
from relayna.topologies import Route, Topology, task_route

__all__ = ["BatchRequest"]

_APART: Final = "publish_tasks() publishes each by itself"


class BatchRequest(Struct, frozen=True, kw_only=True):
    """Tasks that share one message. Raises `InvalidQuery` for tasks that cannot."""

    batch_id: str
    tasks: tuple[TaskRequest, ...]

    def __post_init__(self) -> None:
        """Raises `InvalidQuery`."""
        if not self.batch_id:
            raise InvalidQuery("batch_id", "it is empty; leave it out, or name the batch")
        if not self.tasks:
            raise InvalidQuery("tasks", "there are none; a batch needs at least one")
        seen: set[str] = set()
        for task in self.tasks:
            if task.task_id in seen:
                problem = f"{task.task_id!r} is in the batch twice; each task needs an id of its own"
                raise InvalidQuery("task_id", problem)
            seen.add(task.task_id)
            if task.message_id is not None:
                problem = f"task {task.task_id!r} names one; in a batch they come from the batch's own"
                raise InvalidQuery("message_id", problem)
            for name in ("headers", "priority"):
                if getattr(task, name) != getattr(self.tasks[0], name):
                    problem = f"those of task {task.task_id!r} differ, and a message has one set; {_APART}"
                    raise InvalidQuery(name, problem)

    @property
    def headers(self) -> Mapping[str, Any]:  # Any: AMQP header values
        """Those of every task."""
        return self.tasks[0].headers

    @property
    def priority(self) -> int | None:
        """That of every task."""
        return self.tasks[0].priority

    def route(self, topology: Topology) -> Route:
        """Where the message goes. Raises `InvalidQuery` when the tasks' types lead to different places."""
        first, *others = dict.fromkeys(task.task_type for task in self.tasks)
        route = task_route(topology, first)
        for task_type in others:
            if task_route(topology, task_type) != route:
                problem = f"{first!r} and {task_type!r} lead to different places; {_APART}"
                raise InvalidQuery("task_type", problem)
        return route

    def envelope(self) -> BatchTaskEnvelope:
        """What travels in the message's body."""
        threads = {task.correlation_id for task in self.tasks}
        return BatchTaskEnvelope(
            batch_id=self.batch_id,
            tasks=[task.envelope() for task in self.tasks],
            correlation_id=threads.pop() if len(threads) == 1 else None,
        )
