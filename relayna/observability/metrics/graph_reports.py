"""What is measured of graphs when they are built: how long it took, how large and how complete they are.

Owns that, and the alarm for attempts that were born of no edge, each told once. Builds nothing.
"""

from __future__ import annotations

import logging
from typing import Final

from relayna.projections.graph import ExecutionGraph
from relayna.projections.inbound_edges import missing_inbound_edges
from relayna.signals import Counters, measures_of

__all__ = ["GraphReports"]

_REMEMBERED: Final = 10_000
_SHOWN: Final = 10
_logger: Final = logging.getLogger("relayna.graphs")


class GraphReports:
    """Whoever builds graphs tells of each here."""

    def __init__(self, counters: Counters | None = None) -> None:
        self._measures = measures_of(counters)
        self._told: dict[tuple[str, str], None] = {}
        """Attempts without an inbound edge: a graph that is read again and again is one finding."""

    def built(self, graph: ExecutionGraph, seconds: float, *, whole: bool = True) -> None:
        """A graph was built, in so many seconds. It is `whole` when no view and no bound took anything out."""
        topology = graph.topology_kind or "unknown"
        measures = self._measures
        measures.increment("relayna_graphs_total", completeness=graph.summary.graph_completeness)
        measures.observe("relayna_graph_nodes", len(graph.nodes), exemplar=graph.task_id)
        measures.observe(
            "relayna_graph_build_duration_seconds", seconds, exemplar=graph.task_id, topology=topology
        )
        if whole:
            self._check_births(graph)

    def _check_births(self, graph: ExecutionGraph) -> None:
        missing = [ref for ref in missing_inbound_edges(graph) if (graph.task_id, ref) not in self._told]
        if not missing:
            return
        self._told.update(((graph.task_id, ref), None) for ref in missing)
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        self._measures.increment("relayna_missing_inbound_edges_total", len(missing))
        named = ", ".join(map(repr, missing[:_SHOWN]))
        _logger.error(
            "Attempts of task %r were born of no edge, or of several: %s. Its graph shows them; see docs/metrics.md.",
            graph.task_id,
            named if len(missing) <= _SHOWN else f"{named} and {len(missing) - _SHOWN} more",
        )
