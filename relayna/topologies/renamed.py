"""A topology under other names, so that several of the same kind can share a broker.

Owns which fields are names of exchanges and queues. Names that are derived from them follow by themselves.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from msgspec.structs import replace

from relayna.topologies.topology import Topology

__all__ = ["renamed"]

_NAMES: Final = ("_exchange", "_queue", "_queue_template")

TopologyT = TypeVar("TopologyT", bound=Topology)


def renamed(topology: TopologyT, *, suffix: str) -> TopologyT:
    """The same topology, `suffix` at the end of every exchange's and queue's name; routing keys stay.

    Raises `InvalidTopology` when a name grows too long.
    """
    changes: dict[str, Any] = {}  # Any: by field
    for field in topology.__struct_fields__:
        value = getattr(topology, field)
        if field.endswith(_NAMES) and value is not None:
            changes[field] = value + suffix
        elif field == "stages":
            changes[field] = tuple(replace(stage, queue=stage.queue + suffix) for stage in value)
    return replace(topology, **changes)
