"""Every projection, registered once. The laws in the tests run for each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayna.projections.execution import ExecutionProjection, execution_projection
from relayna.topologies.topology import TOPOLOGY_KINDS, TopologyKind

__all__ = ["EXECUTION_PROJECTIONS", "PROJECTIONS", "execution_projection_for"]

EXECUTION_PROJECTIONS: Final[tuple[ExecutionProjection, ...]] = tuple(
    map(execution_projection, TOPOLOGY_KINDS)
)

PROJECTIONS: Final = (*EXECUTION_PROJECTIONS,)

_BY_KIND: Final = {projection.name: projection for projection in EXECUTION_PROJECTIONS}
_DEFAULT: Final[TopologyKind] = "shared_tasks_shared_status"


def execution_projection_for(kinds: Iterable[str], *, configured: str | None = None) -> ExecutionProjection:
    """The projection for a task whose records name these kinds; a configured one wins.

    Of several, the last in the order of `TOPOLOGY_KINDS` is taken: the most specific one.
    """
    if configured in _BY_KIND:
        return _BY_KIND[configured]
    named = set(kinds)
    known = [kind for kind in TOPOLOGY_KINDS if kind in named]
    return _BY_KIND[known[-1] if known else _DEFAULT]
