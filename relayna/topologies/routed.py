"""Tasks routed by their type: each worker binds the types that it can do.

Owns this variant's fields and layout.
"""

from __future__ import annotations

from msgspec.structs import force_setattr

from relayna.errors import InvalidQuery, InvalidTopology
from relayna.topologies.checks import as_tuple, check_distinct, check_name, check_queue_name
from relayna.topologies.declarations import Exchange
from relayna.topologies.layout import ConsumedQueue, Layout, Source, check_layout, status_layout
from relayna.topologies.naming import as_short_string
from relayna.topologies.topology import Route, Topology
from relayna.topologies.variant import TopologyVariant

__all__ = ["ROUTED_TASKS", "RoutedTasksSharedStatusTopology", "routed_layout", "routed_task_route"]


class RoutedTasksSharedStatusTopology(Topology, frozen=True, kw_only=True):
    """One worker's view: its queue, and the task types that reach it. Raises `InvalidTopology`."""

    tasks_exchange: str
    """A direct exchange, shared with the workers of other types."""
    tasks_queue: str
    task_types: tuple[str, ...]
    """The types this worker takes; each is the routing key of its tasks."""

    def __post_init__(self) -> None:
        """Check the fields, then that no name stands for two things."""
        super().__post_init__()
        check_name("tasks_exchange", self.tasks_exchange)
        check_queue_name("tasks_queue", self.tasks_queue)
        force_setattr(self, "task_types", as_tuple("task_types", self.task_types))
        if not self.task_types:
            raise InvalidTopology("task_types", "it is empty, so no task would reach the queue. Name a type")
        for task_type in self.task_types:
            check_name("task_types", task_type)
        check_distinct("task_types", "task type", self.task_types)
        check_layout(routed_layout(self), self)


def routed_layout(topology: RoutedTasksSharedStatusTopology) -> Layout:
    """A direct exchange and one queue, bound once per type, beside the status part."""
    routes = tuple(Route(topology.tasks_exchange, task_type) for task_type in topology.task_types)
    tasks = Layout(
        exchanges=(Exchange(name=topology.tasks_exchange),),
        queues=(
            ConsumedQueue(
                name=topology.tasks_queue,
                consumer="task worker",
                bindings=routes,
                publishes_to=(topology.status_exchange,),
            ),
        ),
        sources=(Source(name="task publisher", routes=routes),),
    )
    return tasks + status_layout(topology)


def routed_task_route(topology: RoutedTasksSharedStatusTopology, task_type: str | None = None) -> Route:
    """The type is the key; types that another worker's topology binds are welcome. Raises `InvalidQuery`."""
    if not task_type:
        problem = f"tasks are routed by their type here; name one, such as {topology.task_types[0]!r}"
        raise InvalidQuery("task_type", problem)
    if as_short_string(task_type) != task_type:
        raise InvalidQuery("task_type", f"{task_type[:40]!r}… cannot be a routing key: at most 255 bytes fit")
    return Route(topology.tasks_exchange, task_type)


ROUTED_TASKS = TopologyVariant(
    kind="routed_tasks_shared_status",
    struct=RoutedTasksSharedStatusTopology,
    layout=routed_layout,
    task_route=routed_task_route,
)
