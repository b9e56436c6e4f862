"""All tasks through one queue, all statuses through another.

Owns this variant's fields and layout.
"""

from __future__ import annotations

from relayna.topologies.checks import check_name, check_queue_name
from relayna.topologies.declarations import Exchange
from relayna.topologies.layout import ConsumedQueue, Layout, Source, check_layout, status_layout
from relayna.topologies.topology import Route, Topology
from relayna.topologies.variant import TopologyVariant

__all__ = ["SHARED_TASKS", "SharedTasksSharedStatusTopology", "shared_layout", "shared_task_route"]


class SharedTasksSharedStatusTopology(Topology, frozen=True, kw_only=True):
    """Every worker takes from the same queue. Raises `InvalidTopology`."""

    tasks_exchange: str
    """A direct exchange."""
    tasks_queue: str
    tasks_routing_key: str

    def __post_init__(self) -> None:
        """Check the fields, then that no name stands for two things."""
        super().__post_init__()
        check_name("tasks_exchange", self.tasks_exchange)
        check_queue_name("tasks_queue", self.tasks_queue)
        check_name("tasks_routing_key", self.tasks_routing_key)
        check_layout(shared_layout(self), self)


def shared_layout(topology: SharedTasksSharedStatusTopology) -> Layout:
    """A direct exchange and one queue for tasks, beside the status part."""
    route = shared_task_route(topology)
    tasks = Layout(
        exchanges=(Exchange(name=topology.tasks_exchange),),
        queues=(
            ConsumedQueue(
                name=topology.tasks_queue,
                consumer="task worker",
                bindings=(route,),
                publishes_to=(topology.status_exchange,),
            ),
        ),
        sources=(Source(name="task publisher", routes=(route,)),),
    )
    return tasks + status_layout(topology)


def shared_task_route(topology: SharedTasksSharedStatusTopology, task_type: str | None = None) -> Route:
    """The same for every type."""
    return Route(topology.tasks_exchange, topology.tasks_routing_key)


SHARED_TASKS = TopologyVariant(
    kind="shared_tasks_shared_status",
    struct=SharedTasksSharedStatusTopology,
    layout=shared_layout,
    task_route=shared_task_route,
)
