"""Stages joined by one topic exchange: a message goes from stage to stage.

Owns this variant's fields and layout.
"""

from __future__ import annotations

from msgspec.structs import force_setattr

from relayna.errors import InvalidTopology
from relayna.topologies.checks import as_tuple, check_distinct, check_items, check_name
from relayna.topologies.declarations import Exchange
from relayna.topologies.layout import ConsumedQueue, Layout, Source, check_layout, status_layout
from relayna.topologies.stages import Workflow, WorkflowEntryRoute, WorkflowStage
from relayna.topologies.topology import Route, Topology
from relayna.topologies.variant import TopologyVariant

__all__ = ["WORKFLOW", "SharedStatusWorkflowTopology"]


class SharedStatusWorkflowTopology(Topology, frozen=True, kw_only=True):
    """Each stage has a queue of its own on the workflow exchange. Raises `InvalidTopology`."""

    workflow_exchange: str
    """A topic exchange."""
    stages: tuple[WorkflowStage, ...]
    entry_routes: tuple[WorkflowEntryRoute, ...] = ()
    """The ways in; a workflow without any is entered by publishing to a stage."""

    def __post_init__(self) -> None:
        """Check stages and entries together, then that no name stands for two things."""
        super().__post_init__()
        check_name("workflow_exchange", self.workflow_exchange)
        force_setattr(self, "stages", as_tuple("stages", self.stages))
        force_setattr(self, "entry_routes", as_tuple("entry_routes", self.entry_routes))
        _check_stages(self.stages)
        _check_entries(self.entry_routes, self.stages)
        check_layout(_layout(self), self)


def _check_stages(stages: tuple[WorkflowStage, ...]) -> None:
    if not stages:
        raise InvalidTopology("stages", "it is empty. A workflow needs at least one stage")
    check_items("stages", stages, WorkflowStage)
    check_distinct("stages", "stage", (stage.name for stage in stages))


def _check_entries(entries: tuple[WorkflowEntryRoute, ...], stages: tuple[WorkflowStage, ...]) -> None:
    check_items("entry_routes", entries, WorkflowEntryRoute)
    known = [stage.name for stage in stages]
    for entry in entries:
        if entry.target_stage not in known:
            problem = (
                f"{entry.name!r} leads to the stage {entry.target_stage!r}, "
                f"which does not exist. The stages are {', '.join(known)}"
            )
            raise InvalidTopology("entry_routes", problem)
    check_distinct("entry_routes", "entry route", (entry.name for entry in entries))


def _layout(topology: SharedStatusWorkflowTopology) -> Layout:
    exchange = topology.workflow_exchange
    workflow = Layout(
        exchanges=(Exchange(name=exchange, kind="topic"),),
        queues=tuple(
            ConsumedQueue(
                name=stage.queue,
                consumer=stage.name,
                bindings=tuple(Route(exchange, key) for key in _keys(stage, topology.entry_routes)),
                publishes_to=(exchange, topology.status_exchange),
            )
            for stage in topology.stages
        ),
        sources=tuple(
            Source(name=entry.name, routes=(Route(exchange, entry.routing_key),))
            for entry in topology.entry_routes
        ),
    )
    return workflow + status_layout(topology)


def _keys(stage: WorkflowStage, entries: tuple[WorkflowEntryRoute, ...]) -> tuple[str, ...]:
    own = (entry.routing_key for entry in entries if entry.target_stage == stage.name)
    return tuple(dict.fromkeys((*stage.binding_keys, *own)))


def _workflow(topology: SharedStatusWorkflowTopology) -> Workflow:
    return Workflow(
        exchange=topology.workflow_exchange, stages=topology.stages, entries=topology.entry_routes
    )


WORKFLOW = TopologyVariant(
    kind="shared_status_workflow",
    struct=SharedStatusWorkflowTopology,
    layout=_layout,
    workflow=_workflow,
)
