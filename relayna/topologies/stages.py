"""Stages of a workflow and the ways into it.

Owns their shapes and what makes one of them wrong by itself; `workflow.py` checks them together.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import force_setattr

from relayna.errors import InvalidTopology
from relayna.topologies.checks import (
    as_tuple,
    check_distinct,
    check_name,
    check_queue_name,
    check_routing_key,
)
from relayna.topologies.topic_keys import topic_matches

__all__ = ["Workflow", "WorkflowEntryRoute", "WorkflowStage"]


class WorkflowStage(Struct, frozen=True, kw_only=True):
    """One step of a workflow: a queue, and a worker that takes from it. Raises `InvalidTopology`."""

    name: str
    queue: str
    binding_keys: tuple[str, ...]
    """Topic patterns: what the stage's queue gets of the workflow exchange."""
    publish_routing_key: str
    """With which a message is published to this stage; must reach one of its own binding keys."""

    def __post_init__(self) -> None:
        """Check the stage by itself."""
        check_name("name", self.name)
        check_queue_name("queue", self.queue)
        force_setattr(self, "binding_keys", as_tuple("binding_keys", self.binding_keys))
        if not self.binding_keys:
            problem = f"stage {self.name!r} has none, so no message would reach it. Name at least one"
            raise InvalidTopology("binding_keys", problem)
        for key in self.binding_keys:
            check_name("binding_keys", key)
        check_distinct("binding_keys", "binding key", self.binding_keys)
        check_routing_key("publish_routing_key", self.publish_routing_key)
        if not any(topic_matches(key, self.publish_routing_key) for key in self.binding_keys):
            problem = (
                f"{self.publish_routing_key!r} matches no binding key of stage {self.name!r} "
                f"({', '.join(self.binding_keys)}), so what is published to the stage would not reach it"
            )
            raise InvalidTopology("publish_routing_key", problem)


class WorkflowEntryRoute(Struct, frozen=True, kw_only=True):
    """A way into a workflow from outside. Raises `InvalidTopology`."""

    name: str
    routing_key: str
    """On the workflow exchange; the target's queue is bound to it."""
    target_stage: str

    def __post_init__(self) -> None:
        """Check the entry by itself."""
        check_name("name", self.name)
        check_routing_key("routing_key", self.routing_key)
        check_name("target_stage", self.target_stage)


class Workflow(Struct, frozen=True, kw_only=True):
    """What routes need to know of a workflow."""

    exchange: str
    stages: tuple[WorkflowStage, ...]
    entries: tuple[WorkflowEntryRoute, ...]
