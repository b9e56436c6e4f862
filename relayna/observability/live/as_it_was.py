"""A version of a graph that is not held any more, built again from the streams, for whoever comes back with it.

Owns that it is the very same, or none: a patch to anything else would spoil what its receiver has.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from relayna.errors import ExecutionNotFound, InvalidQuery, StoreError
from relayna.observability.admission import Busy
from relayna.observability.graph_question import GraphQuestion
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.graph_version import GraphVersion, parse_version
from relayna.observability.live.view import asked
from relayna.projections.graph import ExecutionGraph

__all__ = ["graph_as_it_was"]

_PARTLY_READ: Final = frozenset({"events", "tasks"})
"""How much was left out of what was read depends on what else is there by now."""


async def graph_as_it_was(
    service: ExecutionGraphService, question: GraphQuestion, version: str, *, latest: str
) -> ExecutionGraph | None:
    """The graph of this version; nothing when it answered another question, or cannot be built any more.

    `latest` is the version that answers the question now. A version of more streams than its token names
    cannot be built.
    """
    wanted, now = parse_version(version), parse_version(latest)
    if wanted is None or now is None or wanted.others is not None:
        return None
    if (wanted.question, wanted.task) != (now.question, now.task):
        return None
    try:
        answer = await asked(service, question, as_of=version)
    except (Busy, ExecutionNotFound, InvalidQuery, StoreError):
        return None
    built = parse_version(answer.version)
    left_out = answer.graph.annotations.get("truncated", {})
    if built is None or _contents(built) != _contents(wanted) or _PARTLY_READ & set(left_out):
        return None
    annotations = {name: value for name, value in answer.graph.annotations.items() if name != "as_of"}
    return replace(answer.graph, annotations=annotations)


def _contents(version: GraphVersion) -> object:
    """What tells whether the streams that it names hold all that they held."""
    gone = {task_id: gone for task_id, last_id, gone in version.listed if last_id is not None}
    return gone, version.others, version.changes_at
