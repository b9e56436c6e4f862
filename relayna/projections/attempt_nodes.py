"""Draws attempts: a node for each, the edge of its birth, and what is known of how it went.

Owns the annotations of attempts.
"""

from __future__ import annotations

from typing import Any

from relayna.events import ConsumerRetryScheduled, TaskHandlerFailed
from relayna.events.aggregation import AggregationHandlerFailed, AggregationRetryScheduled
from relayna.events.workflow import WorkflowStageFailed
from relayna.ids import own_event_id
from relayna.instants import Instant, milliseconds_between
from relayna.projections.attempts import Attempt
from relayna.projections.attribution import OBSERVED
from relayna.projections.births import Birth, Births
from relayna.projections.completeness import proved_to
from relayna.projections.drawing import Drawing
from relayna.projections.graph import NodeState
from relayna.projections.task_run import TaskRun

__all__ = ["draw_attempts"]


def draw_attempts(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Every attempt and the one edge that it is born of."""
    births = Births(run).all()
    for attempt in run.attempts.members:
        _draw_attempt(run, attempt, drawing)
        _draw_birth(run, attempt, births[attempt.ref], home, drawing)


def _draw_birth(run: TaskRun, attempt: Attempt, birth: Birth, home: str, drawing: Drawing) -> None:
    time = _begun(attempt)
    message = run.message_of.get(attempt.ref)
    source, kind = birth.source, birth.kind
    if source is None and message is not None:
        source, kind = message, "entered_stage"
    elif message is not None:
        # The message entered the stage again, but what made this attempt is the retry or the replay.
        evidence = OBSERVED if attempt.observed else "inferred"
        drawing.edge(message, attempt.node_id, "entered_stage", time=time, evidence=evidence, birth=False)
    drawing.edge(source or home, attempt.node_id, kind, time=time, evidence=birth.evidence, rule=birth.rule)


def _draw_attempt(run: TaskRun, attempt: Attempt, drawing: Drawing) -> None:
    label = f"{attempt.stage or run.task_id} attempt {attempt.number}"
    drawing.node(
        attempt.node_id,
        "task_attempt" if attempt.stage is None else "stage_attempt",
        task_id=run.task_id,
        label=label,
        ref=attempt.ref,
        time=_begun(attempt),
        annotations={
            "state": _state(attempt),
            "outcome": attempt.outcome.name,
            **_delivery(attempt),
            **_failure(attempt),
            **_timing(run, attempt),
            **_samples(attempt),
        },
    )


def _begun(attempt: Attempt) -> Instant:
    return attempt.opened.time if attempt.opened else Instant(attempt.key[0])


def _state(attempt: Attempt) -> NodeState:
    # Only a closing event closes an attempt, but a handler that raised has failed already.
    return "failed" if attempt.failed and attempt.outcome.name == "running" else attempt.outcome.state


def _delivery(attempt: Attempt) -> dict[str, Any]:
    received = attempt.received()
    shown: dict[str, Any] = {"role": "aggregation" if attempt.lane == "aggregation" else None}
    for name in (
        "queue_name", "consumer_name", "task_type", "stage", "origin_stage", "shard", "message_id", "routing_key",
        "retry_attempt", "delivery_count",
    ):  # fmt: skip
        shown[name] = getattr(received, name, None)
    shown["redelivered"] = getattr(received, "redelivered", False) or None
    shown["replay_count"] = getattr(received, "replay_count", 0) or None
    shown["proved_to"] = proved_to(attempt) if attempt.observed else None
    return shown


def _failure(attempt: Attempt) -> dict[str, Any]:
    body = attempt.failed.event.body if attempt.failed else None
    if not isinstance(body, TaskHandlerFailed | AggregationHandlerFailed | WorkflowStageFailed):
        return {}
    return {"exception_type": body.exception_type, "exception_message": body.exception_message}


def _timing(run: TaskRun, attempt: Attempt) -> dict[str, Any]:
    anomalies: set[str] = set()
    begun = _begun(attempt)
    shown: dict[str, Any] = {"duration_ms": None, "queue_wait_ms": None}
    if attempt.closed_at is not None:
        shown["duration_ms"] = milliseconds_between(begun, attempt.closed_at)
        if attempt.closed_at < begun:
            anomalies.add("clock_skew")
    due = _due(run, attempt)
    if due is not None:
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


def _due(run: TaskRun, attempt: Attempt) -> Instant | None:
    """When the message could have been handed out: published, or its retry's delay over."""
    cause = attempt.opened.event.envelope.cause if attempt.opened else None
    causing = run.placed.get(own_event_id(cause)) if cause else None
    if causing is None:
        return None
    body = causing.event.body
    delay = (
        (body.delay_ms or 0) if isinstance(body, ConsumerRetryScheduled | AggregationRetryScheduled) else 0
    )
    return Instant(causing.time + delay * 1000)


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
