"""Whether an execution is over as far as its graph shows. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from relayna.events import TERMINAL_STATUSES
from relayna.projections.graph import ExecutionGraph

__all__ = ["is_finished"]

_AT_WORK: Final = frozenset({"queued", "running", "retrying"})
_WORKERS: Final = frozenset({"task_attempt", "stage_attempt"})


def is_finished(graph: ExecutionGraph, terminal_statuses: Collection[str] = ()) -> bool:
    """The root's latest status ends a task, no attempt is running, and no child that is drawn has work ahead.

    `terminal_statuses` are those that end a task here, beside the usual ones.
    """
    status = graph.summary.status
    if status not in TERMINAL_STATUSES and status not in terminal_statuses:
        return False
    for node in graph.nodes:
        state = node.annotations.get("state")
        if node.kind in _WORKERS and state == "running":
            return False
        if node.kind == "aggregation_child" and state in _AT_WORK:
            return False
    return True
