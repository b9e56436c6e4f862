"""The variants of topology, each registered once.

Owns the tuple. A new variant is a file beside this one and a line here.
"""

from __future__ import annotations

from typing import Any, Final

from relayna.errors import InvalidTopology
from relayna.topologies.routed import ROUTED_TASKS
from relayna.topologies.sharded_aggregation import (
    ROUTED_TASKS_SHARDED_AGGREGATION,
    SHARED_TASKS_SHARDED_AGGREGATION,
)
from relayna.topologies.shared import SHARED_TASKS
from relayna.topologies.topology import Topology
from relayna.topologies.variant import TopologyVariant
from relayna.topologies.workflow import WORKFLOW

__all__ = ["TOPOLOGIES", "variant_of"]

TOPOLOGIES: Final[tuple[TopologyVariant[Any], ...]] = (  # Any: each variant explains its own struct
    SHARED_TASKS,
    ROUTED_TASKS,
    SHARED_TASKS_SHARDED_AGGREGATION,
    ROUTED_TASKS_SHARDED_AGGREGATION,
    WORKFLOW,
)

_BY_STRUCT: Final = {variant.struct: variant for variant in TOPOLOGIES}


def variant_of(topology: Topology) -> TopologyVariant[Any]:
    """The registration of this topology's variant, or of the one it extends. Raises `InvalidTopology`."""
    for struct in type(topology).__mro__:
        variant = _BY_STRUCT.get(struct)
        if variant is not None:
            return variant
    known = ", ".join(struct.__name__ for struct in _BY_STRUCT)
    raise InvalidTopology("topology", f"{type(topology).__name__} is none of {known}")
