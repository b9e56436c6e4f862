"""Draws attempts: a node for each, the edge of its birth, and what is known of how it went.

Owns the annotations of attempts.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from relayna.events import ConsumerRetryScheduled, TaskHandlerFailed
from relayna.events.aggregation import AggregationHandlerFailed, AggregationRetryScheduled
from relayna.events.vocabulary import RECEIVED_TYPES
from relayna.events.workflow import WorkflowStageFailed
from relayna.instants import UNTIMED, Instant, milliseconds_between
from relayna.projections.attempts import AGGREGATION, Attempt, Received
from relayna.projections.attribution import OBSERVED
from relayna.projections.completeness import proved_to
from relayna.projections.drawing import Drawing
from relayna.projections.fact_ids import cause_of
from relayna.projections.graph import NodeState
from relayna.projections.task_run import TaskRun

__all__ = ["attempt_state", "draw_attempts", "due_at"]

_DELIVERY_ANNOTATIONS: Final[tuple[str, ...]] = (
    "queue_name", "consumer_name", "task_type", "stage", "origin_stage", "shard", "message_id", "routing_key",
    "retry_attempt", "delivery_count", "batch_id",
)  # fmt: skip


def _fields(received: type[Received]) -> tuple[list[str], Callable[[Received], tuple[Any, ...]]]:
    names = [name for name in _DELIVERY_ANNOTATIONS if name in received.__struct_fields__]
    return names, attrgetter(*names)


_DELIVERY_FIELDS: Final = {received: _fields(received) for received in RECEIVED_TYPES}
"""Which of them each kind of delivery has, and how to get them all at once."""


def draw_attempts(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Every attempt and the one edge that it is born of."""
    for attempt in run.attempts.members:
        _draw_attempt(run, attempt, drawing)
        _draw_birth(run, attempt, home, drawing)
        drawing.reaches(attempt.closed_at)


def attempt_state(attempt: Attempt) -> NodeState:
    """Where the attempt stands. A handler that raised has failed, though only a closing event closes it."""
    is_lettered = attempt.outcome.name == "dead_lettered"
    return "failed" if attempt.failed and not is_lettered else attempt.outcome.state


def _draw_birth(run: TaskRun, attempt: Attempt, home: str, drawing: Drawing) -> None:
    birth, message = run.births[attempt.ref], run.message_of.get(attempt.ref)
    source, kind, time = birth.source, birth.kind, attempt.begun
    if source is None and message is not None and not birth.of_task:
        source, kind = message, "entered_stage"
    elif message is not None:
        # The message entered the stage again, but what made this attempt is the retry or the replay.
        evidence = OBSERVED if attempt.observed else "inferred"
        drawing.edge(message, attempt.node_id, "entered_stage", time=time, evidence=evidence, birth=False)
    drawing.edge(source or home, attempt.node_id, kind, time=time, evidence=birth.evidence, rule=birth.rule)


def _draw_attempt(run: TaskRun, attempt: Attempt, drawing: Drawing) -> None:
    stage = attempt.stage
    drawing.node(
        attempt.node_id,
        "task_attempt" if stage is None else "stage_attempt",
        task_id=run.task_id,
        label=f"{stage or run.task_id} attempt {attempt.number}",
        ref=attempt.ref,
        time=attempt.begun,
        annotations={
            "state": attempt_state(attempt),
            "outcome": attempt.outcome.name,
            **_delivery(attempt),
            **_failure(attempt),
            **_timing(run, attempt),
            **_samples(attempt),
        },
    )


def _delivery(attempt: Attempt) -> dict[str, Any]:
    received = attempt.received
    shown: dict[str, Any] = {"role": "aggregation" if attempt.lane == AGGREGATION else None}
    if received is not None:
        names, values = _DELIVERY_FIELDS[type(received)]
        shown.update(zip(names, values(received), strict=True))
        shown["redelivered"] = received.redelivered or None
        shown["replay_count"] = received.replay_count or None
    shown["proved_to"] = proved_to(attempt) if attempt.observed else None
    return shown


def _failure(attempt: Attempt) -> dict[str, Any]:
    body = attempt.failed.event.body if attempt.failed else None
    if not isinstance(body, TaskHandlerFailed | AggregationHandlerFailed | WorkflowStageFailed):
        return {}
    return {"exception_type": body.exception_type, "exception_message": body.exception_message}


def _timing(run: TaskRun, attempt: Attempt) -> dict[str, Any]:
    anomalies: set[str] = set()
    shown: dict[str, Any] = {}
    begun, closed_at, due = attempt.begun, attempt.closed_at, due_at(run, attempt)
    if closed_at is not None and UNTIMED not in (begun, closed_at):
        shown["duration_ms"] = milliseconds_between(begun, closed_at)
        if closed_at < begun:
            anomalies.add("clock_skew")
    if due is not None and UNTIMED not in (begun, due):
        shown["queue_wait_ms"] = milliseconds_between(due, begun)
        if begun < due:
            anomalies.add("clock_skew")
    if attempt.repeated:
        anomalies.add("lost_ack")
        shown["deliveries_repeated"] = attempt.repeated
    if _acked_but_redelivered(run, attempt):
        anomalies.add("lost_ack")
    shown["anomalies"] = sorted(anomalies) or None
    return shown


def due_at(run: TaskRun, attempt: Attempt) -> Instant | None:
    """When the message could have been handed out: published, or its retry's delay over."""
    cause = cause_of(attempt.opened.event.envelope) if attempt.opened else None
    causing = run.placed.get(cause) if cause is not None else None
    if causing is None or causing.time == UNTIMED:
        return None
    body = causing.event.body
    if isinstance(body, ConsumerRetryScheduled | AggregationRetryScheduled):
        return Instant(causing.time + (body.delay_ms or 0) * 1000)
    return causing.time


def _acked_but_redelivered(run: TaskRun, attempt: Attempt) -> bool:
    """Foreign records have no `DeliveryRepeated`; there a redelivery after the ack tells of the lost one."""
    return attempt.outcome.name == "acked" and attempt.ref in run.redelivered_after


def _samples(attempt: Attempt) -> dict[str, Any]:
    if not attempt.samples:
        return {}
    cpu = [sample.cpu_process_seconds for sample in attempt.samples if sample.cpu_process_seconds is not None]
    memory = [sample.memory_rss_bytes for sample in attempt.samples if sample.memory_rss_bytes is not None]
    return {
        "cpu_process_seconds": round(max(cpu) - min(cpu), 6) if cpu else None,
        "memory_rss_bytes": max(memory, default=None),
    }
