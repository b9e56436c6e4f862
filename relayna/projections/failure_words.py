"""Why, in one sentence for people. Owns the wording and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relayna.projections.causal_edges import FAILED_STATES, state_of
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.task_why import Awaited, Cause, Failure

__all__ = ["sentence_of"]

_LONGEST_MESSAGE: Final = 160


def sentence_of(
    graph: ExecutionGraph,
    root: ExecutionGraphNode,
    causes: Sequence[Cause],
    bystanders: Sequence[Cause],
    waits_for: Sequence[Awaited],
) -> str:
    """All of it in one sentence."""
    parts = [_head(graph, root, causes, waits_for)]
    if len(causes) > 1:
        parts.append(f"{_count(len(causes) - 1, 'other first cause')} led there too")
    if bystanders:
        parts.append(f"{_count(len(bystanders), 'failure')} beside it had no part in that")
    if graph.summary.graph_completeness == "partial":
        missing = ", ".join(graph.annotations.get("completeness", ())) or "something"
        parts.append(f"the record is not complete ({missing})")
    return "; ".join(parts) + "."


def _head(
    graph: ExecutionGraph, root: ExecutionGraphNode, causes: Sequence[Cause], waits_for: Sequence[Awaited]
) -> str:
    name, state = graph.task_id, state_of(root)
    if state in FAILED_STATES:
        if not causes:
            return f"{name} is {graph.summary.status or state}, and nothing that is recorded says why"
        first = causes[0]
        return f"{name} {_ended(state)} because {_told(first.failure, name)}{_aftermath(first)}"
    if waits_for:
        waits = f"{name} has not ended: {_waits(waits_for)}"
        return f"{waits}, after {_told(causes[0].failure, name)}" if causes else waits
    if state == "succeeded":
        return f"{name} ended well"
    return f"{name} is {graph.summary.status or state}, and nothing that is recorded says what it waits for"


def _ended(state: str) -> str:
    return {"dead_lettered": "was dead-lettered", "abandoned": "was given up"}.get(state, "failed")


def _told(failure: Failure, task_id: str) -> str:
    what = failure.label.removeprefix(f"{task_id} ")
    said = f"{what} (event {failure.event_id}) "
    if failure.exception_type is not None:
        message = (failure.exception_message or "")[:_LONGEST_MESSAGE]
        said += f"raised {failure.exception_type}" + (f": {message}" if message else "")
    elif failure.outcome == "abandoned":
        said += "never ended"
    else:
        said += "failed without saying how"
    if failure.queue_name is not None:
        said += f" [queue {failure.queue_name}]"
    return said


def _aftermath(cause: Cause) -> str:
    attempts = sum(failure.kind != "dlq_record" for failure in cause.took_down)
    letters = len(cause.took_down) - attempts
    told = [_count(attempts, "later failure")] if attempts else []
    if letters:
        told.append(_count(letters, "dead letter"))
    return f", which took down {' and '.join(told)}" if told else ""


def _waits(waits_for: Sequence[Awaited]) -> str:
    first = waits_for[0]
    match first.kind:
        case "retry":
            said = f"{first.label} is due" + (f" at {first.due_at}" if first.due_at else "")
        case "message":
            said = f"nobody has received {first.label}"
        case "attempt":
            said = f"{first.label} runs" + (f" since {first.since}" if first.since else "")
        case _:
            said = f"child {first.label} has not ended"
    more = len(waits_for) - 1
    return said + (f", and {_count(more, 'other thing')} to wait for" if more else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
