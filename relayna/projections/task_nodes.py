"""Draws one task: its root, and the nodes of its statuses, retries, dead letters and unreadable records.

Owns their labels and annotations. `attempt_nodes.py` and `message_nodes.py` draw the rest.
"""

from __future__ import annotations

from typing import Any, Final

from relayna.events import Opaque
from relayna.events.status import TERMINAL_STATUSES
from relayna.projections.attribution import OBSERVED, Attribution
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.drawing import Drawing, node_id
from relayna.projections.graph import NodeState
from relayna.projections.statuses import Status
from relayna.projections.task_run import Retry, TaskRun

__all__ = [
    "draw_dead_letters",
    "draw_opaque",
    "draw_retries",
    "draw_root",
    "draw_statuses",
    "number_nodes",
    "task_state",
]

_STATE_OF_STATUS: Final[dict[str, NodeState]] = {
    "queued": "queued",
    "pending": "queued",
    "processing": "running",
    "running": "running",
    "retrying": "retrying",
    "manual_retrying": "retrying",
    "completed": "succeeded",
    "failed": "failed",
    "dead_lettered": "dead_lettered",
    "cancelled": "abandoned",
}


def number_nodes(run: TaskRun) -> None:
    """Give retries, dead letters and attempts their ids, so that edges can be drawn between them."""
    for number, retry in enumerate(run.retries, 1):
        retry.number, retry.node_id = number, node_id("retry", run.task_id, number)
    for number, letter in enumerate(run.letters, 1):
        letter.number, letter.node_id = number, node_id("dlq", run.task_id, number)
    counts: dict[str | None, int] = {}
    for attempt in run.attempts.members:
        number = counts[attempt.stage] = counts.get(attempt.stage, 0) + 1
        attempt.number = number
        if attempt.stage is None:
            attempt.node_id = node_id("task-attempt", run.task_id, number)
        else:
            attempt.node_id = node_id("stage-attempt", run.task_id, attempt.stage, number)


def task_state(run: TaskRun) -> NodeState:
    """Where the task stands: its latest status, unless an attempt has begun or ended differently since."""
    latest = run.statuses[-1] if run.statuses else None
    newest = run.attempts.members[-1] if run.attempts.members else None
    if latest is not None and latest.text in TERMINAL_STATUSES:
        reopened = newest is not None and newest.key > latest.placed.key and newest.outcome.name == "running"
        if not reopened:
            return _STATE_OF_STATUS[latest.text]
    if newest is not None:
        return {"retried": "retrying", "released": "queued", "manual_retry": "retrying"}.get(  # type: ignore[return-value]
            newest.outcome.name, newest.outcome.state
        )
    if run.letters:
        return "dead_lettered"
    if latest is not None:
        return _STATE_OF_STATUS.get(latest.text, "unknown")
    return "queued" if run.ordered else "unknown"


def draw_root(run: TaskRun, home: str, drawing: Drawing, **annotations: Any) -> None:  # Any: JSON values
    """The task itself; a child is an `aggregation_child`."""
    envelopes = [placed.event.envelope for placed in run.ordered]
    drawing.node(
        home,
        "task" if home.startswith("task:") else "aggregation_child",
        task_id=run.task_id,
        label=run.task_id,
        ref=run.task_id,
        time=None,
        annotations={
            "state": task_state(run),
            "parent_task_id": next((one.parent_task_id for one in envelopes if one.parent_task_id), None),
            "session_id": next((one.session_id for one in envelopes if one.session_id), None),
            "correlation_id": next((one.correlation_id for one in envelopes if one.correlation_id), None),
            **annotations,
        },
    )


def draw_statuses(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Each status, on the attempt that published it."""
    for number, status in enumerate(run.statuses, 1):
        own_id = node_id("status", run.task_id, number)
        by = _attribution_of(run, status)
        drawing.node(
            own_id,
            "status_event",
            task_id=run.task_id,
            label=status.text,
            ref=status.placed.own_id,
            time=status.placed.time,
            annotations={
                "state": _STATE_OF_STATUS.get(status.text),
                "message": status.message,
                "meta": status.meta or None,
                "stage": getattr(status.placed.event.body, "stage", None),
            },
        )
        drawing.edge(
            by.attempt.node_id if by.attempt else home,
            own_id,
            "published_status",
            time=status.placed.time,
            evidence=by.evidence,
            rule=by.rule,
        )


def _attribution_of(run: TaskRun, status: Status) -> Attribution:
    found = [run.attribute(placed) for placed in (status.placed, *status.others)]
    return next((by for by in found if by.evidence == OBSERVED), found[0])


def draw_retries(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Each retry, on the attempt that scheduled it."""
    continued = set()
    for attempt in run.attempts.members:
        received = attempt.received()
        if received is not None:
            continued.add((attempt.stage, received.retry_attempt))
    for retry in run.retries:
        body = retry.body
        number = retry.number if body.retry_attempt is None else body.retry_attempt
        stage = retry.by.attempt.stage if retry.by.attempt else getattr(body, "stage", None)
        drawing.node(
            retry.node_id,
            "retry",
            task_id=run.task_id,
            label=f"retry {number}",
            ref=retry.placed.own_id,
            time=retry.placed.time,
            annotations={
                "state": None if (stage, number) in continued else "retrying",
                "retry_attempt": body.retry_attempt,
                "max_retries": body.max_retries,
                "delay_ms": body.delay_ms,
                "reason": body.reason,
                "queue_name": body.queue_name,
                "source_queue_name": body.source_queue_name,
            },
        )
        _edge_from_maker(retry, run, home, drawing)


def _edge_from_maker(retry: Retry, run: TaskRun, home: str, drawing: Drawing) -> None:
    drawing.edge(
        retry.by.attempt.node_id if retry.by.attempt else run.message_node(retry.body.message_id) or home,
        retry.node_id,
        "retried_as",
        time=retry.placed.time,
        evidence=retry.by.evidence,
        rule=retry.by.rule,
    )


def draw_dead_letters(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Each dead letter, on the attempt that it ended."""
    names = (
        "dead_letter_id", "reason", "exception_type", "exception_message", "retry_attempt", "max_retries",
        "queue_name", "source_queue_name", "body_size",
    )  # fmt: skip
    for letter in run.letters:
        by = run.attribution_of(letter)
        drawing.node(
            letter.node_id,
            "dlq_record",
            task_id=run.task_id,
            label=letter.known("reason") or "dead letter",
            ref=letter.placed.own_id,
            time=letter.placed.time,
            annotations={
                "state": "replayed" if letter.replays else "dead_lettered",
                **{name: letter.known(name) for name in names},
                "replay_count": len(letter.replays) or None,
            },
        )
        drawing.edge(
            by.attempt.node_id if by.attempt else _origin(letter, run) or home,
            letter.node_id,
            "dead_lettered_to",
            time=letter.placed.time,
            evidence=by.evidence,
            rule=by.rule,
        )


def _origin(letter: DeadLetter, run: TaskRun) -> str | None:
    return run.message_node(letter.known("message_id"))


def draw_opaque(run: TaskRun, drawing: Drawing) -> None:
    """Each record that this version cannot read, so that it is seen that there is one."""
    for number, placed in enumerate(run.opaque, 1):
        body = placed.event.body
        if isinstance(body, Opaque):
            drawing.node(
                node_id("opaque-event", run.task_id, number),
                "opaque_event",
                task_id=run.task_id,
                label=body.type_name or body.reason,
                ref=placed.own_id,
                time=placed.time,
                annotations={
                    "state": "unknown",
                    "reason": body.reason,
                    "version": body.version,
                    "attempt": placed.event.envelope.attempt_id,
                },
            )
