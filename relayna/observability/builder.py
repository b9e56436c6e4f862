"""Builds execution graphs from plain dictionaries, in process, with no server at all.

Owns the way from lists of records to the projection's items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from relayna.events import PlainList, from_plain
from relayna.events.history import RecordWarning
from relayna.ids import TaskId
from relayna.projections.execution import DEFAULT_DEPTH, GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.registry import execution_projection_for
from relayna.topologies import Topology, topology_kind

__all__ = ["Histories", "build_execution_graph"]

Histories: TypeAlias = Mapping[str, Iterable[Mapping[str, Any]]]
"""Records of one list by task id, in any order. Any: JSON values."""

_LISTS: Final[tuple[PlainList, ...]] = ("status", "observation", "dead_letter")


def build_execution_graph(
    *,
    topology: Topology | str | None,
    task_id: str,
    status_histories: Histories,
    observation_histories: Histories,
    dlq_records: Histories,
    related_task_ids: Iterable[str] = (),
    depth: int = DEFAULT_DEPTH,
) -> ExecutionGraph:
    """The graph that these records tell of, whether they carry ids or not.

    `topology` is a topology, the name of a kind, or None. Each of the three histories is
    `{task_id: [record, …]}`; a record is a dictionary with a `timestamp`, and in observations an
    `event_type` of docs/events.md. Statuses have a `status`, dead letters a `reason`. Records with ids
    (`event_id`, `attempt_id`, `seq`, `cause`) give observed edges, others are attributed by time. Repeats
    and order do not matter. Bad records become warnings in the answer; nothing raises.
    """
    configured = topology if isinstance(topology, str) or topology is None else topology_kind(topology)
    projection = execution_projection_for((), configured=configured)
    state = projection.initial(TaskId(task_id))
    for of, histories in zip(_LISTS, (status_histories, observation_histories, dlq_records), strict=True):
        for owner, records in histories.items():
            for record in records:
                event, warnings = from_plain(record, task_id=TaskId(owner), of=of)
                if event is not None:
                    projection.apply(state, event)
                for code, detail in warnings:
                    projection.apply(state, RecordWarning(task_id=TaskId(owner), code=code, detail=detail))
    related = tuple(sorted(TaskId(related) for related in related_task_ids))
    terminal = topology.terminal_statuses if isinstance(topology, Topology) else ()
    return projection.finish(
        state, GraphQuery(depth=depth, related_task_ids=related, terminal_statuses=terminal)
    )
