"""Every projection, registered once. The laws in the tests run for each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayna.projections.chosen_kind import chosen_kind
from relayna.projections.execution import ExecutionProjection, execution_projection
from relayna.projections.lineage.run_lineage import RUN_LINEAGE
from relayna.projections.messages.message_rows import MESSAGE_ROWS
from relayna.projections.task_summary import TASK_SUMMARY
from relayna.projections.timeline import TIMELINE
from relayna.topologies.topology import TOPOLOGY_KINDS

__all__ = ["EXECUTION_PROJECTIONS", "PROJECTIONS", "execution_projection_for"]

EXECUTION_PROJECTIONS: Final[tuple[ExecutionProjection, ...]] = tuple(
    map(execution_projection, TOPOLOGY_KINDS)
)

PROJECTIONS: Final = (*EXECUTION_PROJECTIONS, TASK_SUMMARY, TIMELINE, RUN_LINEAGE, MESSAGE_ROWS)

_BY_KIND: Final = {projection.name: projection for projection in EXECUTION_PROJECTIONS}


def execution_projection_for(kinds: Iterable[str], *, configured: str | None = None) -> ExecutionProjection:
    """The projection for a task whose records name these kinds; a configured one wins.

    Of several, the most specific one is taken.
    """
    return _BY_KIND[chosen_kind(kinds, configured=configured)]
