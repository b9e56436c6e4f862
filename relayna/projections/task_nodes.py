"""Draws one task: its root, and the nodes of its statuses, retries, dead letters and unreadable records.

Owns their labels and annotations. `attempt_nodes.py` and `message_nodes.py` draw the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any, Final

from relayna.events import DeadLetterReplayed, Opaque, TaskPublished
from relayna.events.status import TERMINAL_STATUSES
from relayna.projections.attempts import AGGREGATION, Attempt
from relayna.projections.attribution import OBSERVED, Attribution
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.drawing import Drawing, annotated, node_id
from relayna.projections.graph import NodeState
from relayna.projections.kinship import first_parent_told
from relayna.projections.outcomes import RUNNING
from relayna.projections.rooting import source_node
from relayna.projections.statuses import Status
from relayna.projections.task_run import TaskRun

__all__ = [
    "attribution_of_status",
    "draw_dead_letters",
    "draw_opaque",
    "draw_retries",
    "draw_root",
    "draw_statuses",
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
_STATE_AFTER: Final[dict[str, NodeState]] = {
    "retried": "retrying",
    "manual_retry": "retrying",
    "released": "queued",
}
_EVENT: Final = attrgetter("event")
_SESSION: Final = attrgetter("event.envelope.session_id")
_CORRELATION: Final = attrgetter("event.envelope.correlation_id")


def task_state(run: TaskRun, terminal_statuses: Collection[str] = TERMINAL_STATUSES) -> NodeState:
    """Where the task stands: its latest status, unless an attempt has begun or ended differently since."""
    latest = run.statuses[-1] if run.statuses else None
    newest, running = _newest_and_running(run.attempts.members)
    if latest is not None and latest.text in terminal_statuses:
        reopened = running is not None and running.key > latest.placed.key
        if not reopened:
            return _STATE_OF_STATUS.get(latest.text, "unknown")
    if running is not None:
        return "running"
    if run.messages and any(not message.attempts and not message.joined for message in run.messages.values()):
        return "queued"
    if newest is not None:
        return _STATE_AFTER.get(newest.outcome.name, newest.outcome.state)
    if run.letters:
        return "dead_lettered"
    if latest is not None:
        return _STATE_OF_STATUS.get(latest.text, "unknown")
    return (
        "queued" if any(isinstance(placed.event.body, TaskPublished) for placed in run.ordered) else "unknown"
    )


def _newest_and_running(attempts: Sequence[Attempt]) -> tuple[Attempt | None, Attempt | None]:
    """The newest attempt of the task's own, and the newest that still runs."""
    newest = None
    for attempt in reversed(attempts):
        if attempt.lane != AGGREGATION:
            newest = newest or attempt
            if attempt.outcome is RUNNING:
                return newest, attempt
    return newest, None


def draw_root(
    run: TaskRun,
    home: str,
    drawing: Drawing,
    terminal_statuses: Collection[str] = TERMINAL_STATUSES,
    **annotations: Any,  # Any: JSON values
) -> None:
    """The task itself; a child is an `aggregation_child`."""
    drawing.node(
        home,
        "task" if home.startswith("task:") else "aggregation_child",
        task_id=run.task_id,
        label=run.task_id,
        time=None,
        annotations=annotated(
            run.task_id,
            {
                "state": task_state(run, terminal_statuses),
                "parent_task_id": first_parent_told(map(_EVENT, run.ordered)),
                "session_id": next(filter(None, map(_SESSION, run.ordered)), None),
                "correlation_id": next(filter(None, map(_CORRELATION, run.ordered)), None),
                **annotations,
            },
        ),
    )


def draw_statuses(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Each status, on the attempt that published it."""
    prefix = node_id("status", run.task_id)
    attempts = run.attempts.by_ref
    for number, status in enumerate(run.statuses, 1):
        placed, own_id = status.placed, f"{prefix}:{number}"
        drawing.node(
            own_id,
            "status_event",
            task_id=run.task_id,
            label=status.text,
            time=placed.time,
            annotations=_of_status(status),
        )
        attempt_id = placed.event.envelope.attempt_id
        named = None if attempt_id is None else attempts.get(attempt_id)
        if named is not None:
            source, evidence, rule = named.node_id, OBSERVED, None
        else:
            by = attribution_of_status(run, status)
            source, evidence, rule = by.attempt.node_id if by.attempt else home, by.evidence, by.rule
        drawing.edge(source, own_id, "published_status", time=placed.time, evidence=evidence, rule=rule)


def _of_status(status: Status) -> dict[str, Any]:
    shown: dict[str, Any] = {"ref": status.placed.own_id}
    state, stage = _STATE_OF_STATUS.get(status.text), getattr(status.placed.event.body, "stage", None)
    if state is not None:
        shown["state"] = state
    if status.message is not None:
        shown["message"] = status.message
    if status.meta:
        shown["meta"] = status.meta
    if stage is not None:
        shown["stage"] = stage
    return shown


def attribution_of_status(run: TaskRun, status: Status) -> Attribution:
    """The attempt that published it, by whichever of its records knows best."""
    first = run.attribute(status.placed)
    if first.evidence == OBSERVED or not status.others:
        return first
    found = [first, *map(run.attribute, status.others)]
    return next((by for by in found if by.evidence == OBSERVED), found[0])


def draw_retries(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Each retry, on the attempt that scheduled it."""
    if not run.retries:
        return
    continued = {birth.source for birth in run.births.values()}
    for retry in run.retries:
        body, by = retry.body, retry.by
        number = retry.number if body.retry_attempt is None else body.retry_attempt
        drawing.node(
            retry.node_id,
            "retry",
            task_id=run.task_id,
            label=f"retry {number}",
            time=retry.placed.time,
            annotations=annotated(
                retry.placed.own_id,
                {
                    "state": None if retry.node_id in continued else "retrying",
                    "retry_attempt": body.retry_attempt,
                    "max_retries": body.max_retries,
                    "delay_ms": body.delay_ms,
                    "reason": body.reason,
                    "queue_name": body.queue_name,
                    "source_queue_name": body.source_queue_name,
                },
            ),
        )
        source = source_node(run, by.attempt, body.message_id) or home
        time = retry.placed.time
        drawing.edge(source, retry.node_id, "retried_as", time=time, evidence=by.evidence, rule=by.rule)


def draw_dead_letters(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Each dead letter, on the attempt that it ended."""
    if not run.letters:
        return
    names = (
        "dead_letter_id", "reason", "exception_type", "exception_message", "retry_attempt", "max_retries",
        "queue_name", "source_queue_name", "body_size",
    )  # fmt: skip
    replayed = {birth.source for birth in run.births.values() if birth.kind == "replayed_as"}
    for letter in run.letters:
        by, time = letter.by, letter.placed.time
        drawing.node(
            letter.node_id,
            "dlq_record",
            task_id=run.task_id,
            label=letter.known("reason") or "dead letter",
            time=time,
            annotations=annotated(
                letter.placed.own_id,
                {
                    "state": "replayed" if letter.replays or letter.node_id in replayed else "dead_lettered",
                    **{name: letter.known(name) for name in names},
                    "replay_count": len(letter.replays) or None,
                    "replayed_by": _replayed_by(letter) or None,
                },
            ),
        )
        source = source_node(run, by.attempt, letter.known("message_id")) or home
        drawing.edge(
            source, letter.node_id, "dead_lettered_to", time=time, evidence=by.evidence, rule=by.rule
        )


def _replayed_by(letter: DeadLetter) -> list[str]:
    told = (placed.event.body for placed in letter.replays)
    return sorted(
        {body.replayed_by for body in told if isinstance(body, DeadLetterReplayed) and body.replayed_by}
    )


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
                time=placed.time,
                annotations=annotated(
                    placed.own_id,
                    {
                        "state": "unknown",
                        "reason": body.reason,
                        "version": body.version,
                        "attempt": placed.event.envelope.attempt_id,
                    },
                ),
            )
