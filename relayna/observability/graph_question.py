"""What is asked of an execution, checked: one value, whoever asks and however it was spelled.

Owns which questions have a meaning. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct

from relayna.errors import InvalidQuery
from relayna.ids import TaskId
from relayna.instants import Instant, parse_instant
from relayna.observability.graph_version import parse_version
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.graph_view import COLLAPSES, GRAPH_VIEWS, Collapse, GraphView
from relayna.streams import checked_task_id

__all__ = ["DEFAULT_VIEW", "MAX_DEPTH", "GraphQuestion", "Moment", "checked_question"]

MAX_DEPTH: Final = 50
DEFAULT_VIEW: Final[GraphView] = "full"

Moment: TypeAlias = datetime | str | int
"""A time, in any usual spelling."""

_NAMED: Final = 80
_NameT = TypeVar("_NameT", bound=str)


class GraphQuestion(Struct, frozen=True, kw_only=True):
    """One question. Equal questions have equal answers from equal streams."""

    task_id: TaskId
    at: Instant | None = None
    as_of: Instant | None = None
    """Only what was known by then."""
    as_of_version: str | None = None
    """Only what this version of the graph was made from."""
    depth: int = DEFAULT_DEPTH
    max_nodes: int | None = None
    view: GraphView = DEFAULT_VIEW
    collapse: tuple[Collapse, ...] = ()

    @property
    def is_of_now(self) -> bool:
        """Whether it asks for all that is known now."""
        return self.as_of is None and self.as_of_version is None


def checked_question(
    task_id: str,
    *,
    at: Moment | None = None,
    as_of: Moment | None = None,
    depth: int = DEFAULT_DEPTH,
    max_nodes: int | None = None,
    view: str = DEFAULT_VIEW,
    collapse: Iterable[str] = (),
) -> GraphQuestion:
    """The question that these arguments ask. Raises `InvalidQuery` where they ask none."""
    if not 0 <= depth <= MAX_DEPTH:
        raise InvalidQuery("depth", f"{depth} is not between 0 and {MAX_DEPTH}")
    if max_nodes is not None and max_nodes < 1:
        raise InvalidQuery("max_nodes", f"{max_nodes} is less than 1")
    folds = tuple(_named("collapse", name, COLLAPSES) for name in collapse) if collapse else ()
    version = as_of if isinstance(as_of, str) and parse_version(as_of) is not None else None
    return GraphQuestion(
        # Our producers refuse an empty id; others may have recorded under one.
        task_id=TaskId("") if task_id == "" else checked_task_id(task_id),
        at=_instant("at", at, "no time"),
        as_of=None if version is not None else _instant("as_of", as_of, "no time, and no version of a graph"),
        as_of_version=version,
        depth=depth,
        max_nodes=max_nodes,
        view=_named("view", view, GRAPH_VIEWS),
        collapse=tuple(name for name in COLLAPSES if name in folds) if folds else (),
    )


def _instant(parameter: str, moment: Moment | None, problem: str) -> Instant | None:
    if moment is None:
        return None
    instant = parse_instant(moment)
    if instant is None:
        said = f"{str(moment)[:_NAMED]!r} is {problem}; use ISO 8601, as in 2026-01-31T10:00:05Z"
        raise InvalidQuery(parameter, said)
    return instant


def _named(parameter: str, name: str, names: tuple[_NameT, ...]) -> _NameT:
    for known in names:
        if name == known:
            return known
    raise InvalidQuery(parameter, f"{name[:_NAMED]!r} is none of {', '.join(names)}")
