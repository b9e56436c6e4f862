"""What a bounded answer leaves out, said in the answer, with how to go on.

Owns `annotations.truncated` as far as reading and size make it; views and `max_nodes` say their own part.
"""

from __future__ import annotations

from typing import Any, Final

from relayna.ids import TaskId
from relayna.observability.family_history import FamilyBounds, FamilyHistory
from relayna.observability.stream_reading import LeftOutEntries
from relayna.projections.graph import ExecutionGraph

__all__ = ["bounds_for", "tell_left_out"]

_FEWEST_EVENTS: Final = 20_000
_EVENTS_A_NODE: Final = 4
_FEWEST_TASKS: Final = 100
_NODES_A_TASK: Final = 4
"""A child that was read has about so many at least."""
_FEWEST_BYTES: Final = 32 * 1024 * 1024
_BYTES_A_NODE: Final = 6 * 1024
_UNBOUNDED: Final = 2**60
_MOST_EVENTS_A_TASK: Final = 1_000_000
_LISTED: Final = 1_000


def bounds_for(max_nodes: int | None, *, max_tasks: int) -> FamilyBounds:
    """How much is read for so many nodes. Time and memory follow what is asked for, not what is stored."""
    if max_nodes is None:
        return FamilyBounds(
            tasks=max_tasks, events=_UNBOUNDED, events_a_task=_MOST_EVENTS_A_TASK, bytes=_UNBOUNDED
        )
    events = max(_FEWEST_EVENTS, _EVENTS_A_NODE * max_nodes)
    return FamilyBounds(
        tasks=min(max_tasks, max(_FEWEST_TASKS, max_nodes // _NODES_A_TASK)),
        events=events,
        events_a_task=events * 3 // 4,  # the rest is for its children
        bytes=max(_FEWEST_BYTES, _BYTES_A_NODE * max_nodes),
    )


def tell_left_out(graph: ExecutionGraph, history: FamilyHistory, *, max_nodes: int | None) -> None:
    """Say in the graph what was not read, and shorten its lists to what `max_nodes` stands for."""
    truncated: dict[str, Any] = dict(graph.annotations.get("truncated", {}))  # Any: JSON values
    if history.left_out:
        truncated["events"] = _events_left_out(history.left_out)
    if history.unread:
        truncated["tasks"] = {
            "children_not_read": history.unread,
            "hint": "ask again with a larger max_nodes, or for one of the children",
        }
    if max_nodes is not None:
        truncated.update(_shortened(graph, max_nodes))
    if truncated:
        graph.annotations["truncated"] = truncated


def _events_left_out(left_out: dict[TaskId, LeftOutEntries]) -> dict[str, Any]:  # Any: JSON values
    streams = [
        {"task_id": task_id, "after": left.after, "before": left.before, "entries": left.entries}
        for task_id, left in list(left_out.items())[:_LISTED]
    ]
    return {
        "streams_cut": len(left_out),
        "streams": streams,
        "hint": "the beginning and the end of each were read; ask again with a larger max_nodes, "
        "or read the task's history between",
    }


def _shortened(graph: ExecutionGraph, max_nodes: int) -> dict[str, Any]:  # Any: JSON values
    told: dict[str, Any] = {}  # Any: JSON values
    gaps = graph.annotations.get("gaps", [])
    if len(gaps) > _LISTED:
        graph.annotations["gaps"] = gaps[:_LISTED]
        told["gaps"] = {"left_out": len(gaps) - _LISTED, "hint": "ask for one of related_task_ids"}
    most = max(_LISTED, max_nodes)
    if len(graph.related_task_ids) > most:
        told["related_task_ids"] = {
            "left_out": len(graph.related_task_ids) - most,
            "hint": "ask again with a larger max_nodes",
        }
        graph.related_task_ids = graph.related_task_ids[:most]
    return told
