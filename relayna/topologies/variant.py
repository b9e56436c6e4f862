"""What a variant of topology registers: its kind, its struct and the functions that explain it.

Owns the shape of a registration. The tuple of them all is `registry.TOPOLOGIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from relayna.topologies.aggregation_shards import AggregationShards
from relayna.topologies.layout import Layout
from relayna.topologies.stages import Workflow
from relayna.topologies.topology import Route, Topology, TopologyKind

__all__ = ["TopologyVariant"]

TopologyT = TypeVar("TopologyT", bound=Topology)


class TopologyVariant(Struct, Generic[TopologyT], frozen=True, kw_only=True):
    """A variant as a value. A function that is absent answers a question the variant has no notion of."""

    kind: TopologyKind
    struct: type[TopologyT]
    layout: Callable[[TopologyT], Layout]
    task_route: Callable[[TopologyT, str | None], Route] | None = None
    """Where a task of a type (`None`: any) is published."""
    shards: Callable[[TopologyT], AggregationShards] | None = None
    workflow: Callable[[TopologyT], Workflow] | None = None
