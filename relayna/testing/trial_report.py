"""What keeps a task from being done, and the error that says so to whoever reads a failed test.

Owns what "finished" and "handled" mean, and the words. Pure: reads a graph as it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from relayna.errors import RelaynaError
from relayna.instants import parse_instant
from relayna.observability.wording import (
    exception_words,
    node_details,
    node_name,
    node_state,
    relative_time,
    remarks,
    took,
)
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.topologies.mermaid_labels import visible_text

__all__ = ["NotInTime", "statuses_of", "story", "unfinished", "unhandled", "unheard"]

_ATTEMPTS: Final = ("task_attempt", "stage_attempt")
_LINES_SHOWN: Final = 40
_TASKS_NAMED: Final = 10
_LINE_LIMIT: Final = 300


class NotInTime(RelaynaError, AssertionError):
    """What a test waited for did not come. `graph` is what is recorded of the task, `None` for nothing at all."""

    def __init__(
        self,
        task_id: str,
        awaited: str,
        *,
        patience_seconds: float,
        graph: ExecutionGraph | None,
        missing: Sequence[str] = (),
        working: Sequence[str] = (),
        known_tasks: Collection[str] = (),
    ) -> None:
        """`missing` says what is still open, `working` who works, `known_tasks` of whom something is recorded."""
        self.task_id = task_id
        self.awaited = awaited
        self.patience_seconds = patience_seconds
        self.graph = graph
        self.missing = tuple(missing)
        why = f": {'; '.join(missing)}" if missing else ""
        lines = [f"Task {task_id!r} {awaited} within {patience_seconds:g} s{why}."]
        lines += _unknown(known_tasks) if graph is None else story(graph)
        lines.append(
            f"Working: {', '.join(working)}."
            if working
            else "No consumer is working: wait inside `async with trial.working(consumer):`."
        )
        super().__init__("\n".join(lines))


def statuses_of(graph: ExecutionGraph) -> list[str]:
    """The statuses of the task itself, in order."""
    return [
        node.label for node in graph.nodes if node.kind == "status_event" and node.task_id == graph.task_id
    ]


def unfinished(graph: ExecutionGraph, terminal_statuses: Collection[str]) -> list[str]:
    """Why the task is not over: no status that ends it, or an attempt or a retry of it or its children is open."""
    status = graph.summary.status
    if status is None:
        return ["it has no status", *_open_ends(graph)]
    ends = [] if status in terminal_statuses else [f"its last status, {status!r}, ends no task"]
    return [*ends, *_open_ends(graph)]


def unhandled(graph: ExecutionGraph) -> list[str]:
    """Why its messages are not done with: nobody took any, or an attempt or a retry is open."""
    begun = any(node.kind in _ATTEMPTS and node.task_id == graph.task_id for node in graph.nodes)
    return _open_ends(graph) if begun else ["no consumer took a message of it"]


def unheard(graph: ExecutionGraph, status: str) -> list[str]:
    """Why the status did not come: which ones did."""
    told = statuses_of(graph)
    if status in told:
        return []
    return [f"its statuses are {', '.join(map(repr, told))}" if told else "it has no status"]


def _open_ends(graph: ExecutionGraph) -> list[str]:
    running = [
        f"{node.label} is still running"
        for node in graph.nodes
        if node.kind in _ATTEMPTS and node.annotations.get("outcome") == "running"
    ]
    waiting = [
        f"{node.label} of {node.task_id} still waits"
        for node in graph.nodes
        if node.kind == "retry" and node.annotations.get("state") == "retrying"
    ]
    return running + waiting


def _unknown(known_tasks: Collection[str]) -> list[str]:
    """Nothing is recorded of the task."""
    told = [visible_text(task_id, limit=_LINE_LIMIT) for task_id in list(known_tasks)[:_TASKS_NAMED]]
    others = f"there is something of {', '.join(told)}" if told else "nor of any other task"
    return [
        f"Nothing is recorded of it, {others}.",
        "Publish with trial.client, and give it to consumers: TaskConsumer(rabbitmq=trial.client, …).",
    ]


def story(graph: ExecutionGraph) -> list[str]:
    """What is recorded so far, a line a node, oldest first."""
    lines = [_line(node, graph) for node in graph.nodes if node.kind != "task"]
    left_out = len(lines) - _LINES_SHOWN
    if left_out > 0:
        lines = [f"  … {left_out} more before", *lines[left_out:]]
    return ["Recorded so far:" if lines else "Only its publishing is recorded.", *lines, *_remarked(graph)]


def _line(node: ExecutionGraphNode, graph: ExecutionGraph) -> str:
    instant, start = parse_instant(node.timestamp), parse_instant(graph.summary.started_at)
    time = "" if instant is None or start is None else relative_time(instant, start)
    length, failure = took(node), exception_words(node)
    state = node_state(node) if node.kind in (*_ATTEMPTS, "aggregation_child", "workflow_message") else None
    told = [state, length and f"took {length}", *node_details(node), failure]
    words = f"{node_name(node)}{''.join(f', {one}' for one in told if one)}"
    return f"  {time:>10}  {' '.join(visible_text(words, limit=_LINE_LIMIT).split())}"


def _remarked(graph: ExecutionGraph) -> Iterator[str]:
    for heading, texts in remarks(graph).items():
        for text in texts:
            yield f"  {heading}: {visible_text(text, limit=_LINE_LIMIT)}"
