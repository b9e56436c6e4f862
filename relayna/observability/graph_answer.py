"""From what was read of a family to the graph that a question asks for.

Owns in which order a graph is drawn, cut and reduced to a view. Pure, so it may run in any thread.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from relayna.instants import format_instant
from relayna.observability.family_history import FamilyHistory
from relayna.observability.graph_question import DEFAULT_VIEW, GraphQuestion
from relayna.observability.left_out import tell_left_out
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_view import shown
from relayna.projections.registry import EXECUTION_PROJECTIONS, execution_projection_for

__all__ = ["GraphTerms", "is_whole"]

_VERSIONS: Final = [(projection.name, projection.version) for projection in EXECUTION_PROJECTIONS]


class GraphTerms(Struct, frozen=True, kw_only=True):
    """What every answer of a service depends on, beside the question."""

    tenant: str
    configured_kind: str | None
    terminal_statuses: tuple[str, ...]
    retention_micros: int
    max_tasks: int

    def asked(self, question: GraphQuestion) -> object:
        """Everything that an answer depends on, but the streams and the time: plain data."""
        return (_VERSIONS, self, question)

    def fold(self, question: GraphQuestion, history: FamilyHistory) -> ExecutionGraph:
        """The answer."""
        projection = execution_projection_for(history.kinds, configured=self.configured_kind)
        state = projection.initial(question.task_id)
        for item in history.items:
            projection.apply(state, item)

        def drawn(max_nodes: int | None) -> ExecutionGraph:
            graph = projection.finish(state, self._query(question, max_nodes))
            tell_left_out(graph, history, max_nodes=question.max_nodes)
            if as_of := _as_of(question):
                graph.annotations["as_of"] = as_of
            return shown(graph, view=question.view, collapse=question.collapse)

        most = question.max_nodes
        if question.view == DEFAULT_VIEW and not question.collapse:
            return drawn(most)
        # A part may be small enough to be drawn whole; else it is a part of what would be drawn.
        part = drawn(None)
        return part if most is None or len(part.nodes) <= most else drawn(most)

    def _query(self, question: GraphQuestion, max_nodes: int | None) -> GraphQuery:
        return GraphQuery(
            at=question.at,
            depth=question.depth,
            max_nodes=max_nodes,
            terminal_statuses=self.terminal_statuses,
        )


def is_whole(question: GraphQuestion, graph: ExecutionGraph) -> bool:
    """Whether nothing was taken out of this answer: by a moment, a view, a fold or a bound."""
    as_it_is = question.at is None and _as_of(question) is None
    return (
        as_it_is
        and question.view == DEFAULT_VIEW
        and not question.collapse
        and "truncated" not in graph.annotations
    )


def _as_of(question: GraphQuestion) -> str | None:
    return question.as_of_version if question.as_of is None else format_instant(question.as_of)
