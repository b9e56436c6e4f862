"""Draws attempts: a node for each, the edge of its birth, and what is known of how it went.

Owns the annotations of attempts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from relayna.events import Body, TaskResourceSampled
from relayna.events.vocabulary import FAILED_TYPES, RECEIVED_TYPES, RETRY_TYPES
from relayna.instants import UNTIMED, Instant, milliseconds_between
from relayna.projections.attempts import AGGREGATION, Attempt, Received
from relayna.projections.attribution import OBSERVED
from relayna.projections.completeness import proved_to
from relayna.projections.drawing import Drawing
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
    birth, message = run.births[attempt.ref], attempt.message_node
    source, kind, time = birth.source, birth.kind, attempt.begun
    if source is None and message is not None and not birth.of_task:
        source, kind = message, "entered_stage"
    elif message is not None:
        # The message entered the stage again, but what made this attempt is the retry or the replay.
        evidence = OBSERVED if attempt.observed else "inferred"
        no_birth = {"birth": False}
        drawing.edge(message, attempt.node_id, "entered_stage", time=time, evidence=evidence, more=no_birth)
    drawing.edge(source or home, attempt.node_id, kind, time=time, evidence=birth.evidence, rule=birth.rule)


def _draw_attempt(run: TaskRun, attempt: Attempt, drawing: Drawing) -> None:
    stage = attempt.stage
    drawing.node(
        attempt.node_id,
        "task_attempt" if stage is None else "stage_attempt",
        task_id=run.task_id,
        label=f"{stage or run.task_id} attempt {attempt.number}",
        time=attempt.begun,
        annotations=_annotations(attempt),
    )


def _annotations(attempt: Attempt) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ref": attempt.ref,
        "state": attempt_state(attempt),
        "outcome": attempt.outcome.name,
    }
    if attempt.lane == AGGREGATION:
        shown["role"] = "aggregation"
    if attempt.received is not None:
        _add_delivery(attempt.received, shown)
    proved = proved_to(attempt) if attempt.observed else None
    if proved is not None:
        shown["proved_to"] = proved
    if attempt.failed is not None:
        _add_failure(attempt.failed.event.body, shown)
    _add_times(attempt, shown)
    if attempt.samples:
        _add_samples(attempt.samples, shown)
    return shown


def _add_delivery(received: Received, shown: dict[str, Any]) -> None:
    names, values = _DELIVERY_FIELDS[type(received)]
    for name, value in zip(names, values(received), strict=True):
        if value is not None:
            shown[name] = value
    if received.redelivered:
        shown["redelivered"] = received.redelivered
    if received.replay_count:
        shown["replay_count"] = received.replay_count


def _add_failure(body: Body, shown: dict[str, Any]) -> None:
    if isinstance(body, FAILED_TYPES):
        if body.exception_type is not None:
            shown["exception_type"] = body.exception_type
        if body.exception_message is not None:
            shown["exception_message"] = body.exception_message


def _add_times(attempt: Attempt, shown: dict[str, Any]) -> None:
    begun, closed_at, due = attempt.begun, attempt.closed_at, due_at(attempt)
    is_skewed = False
    if closed_at is not None and UNTIMED not in (begun, closed_at):
        shown["duration_ms"] = milliseconds_between(begun, closed_at)
        is_skewed = closed_at < begun
    if due is not None and UNTIMED not in (begun, due):
        shown["queue_wait_ms"] = milliseconds_between(due, begun)
        is_skewed = is_skewed or begun < due
    if attempt.repeated:
        shown["deliveries_repeated"] = attempt.repeated
    anomalies = ["clock_skew"] if is_skewed else []
    if attempt.repeated or _acked_but_redelivered(attempt):
        anomalies.append("lost_ack")
    if anomalies:
        shown["anomalies"] = anomalies


def due_at(attempt: Attempt) -> Instant | None:
    """When the message could have been handed out: published, or its retry's delay over."""
    causing = attempt.caused_by
    if causing is None or causing.time == UNTIMED:
        return None
    body = causing.event.body
    if isinstance(body, RETRY_TYPES):
        return Instant(causing.time + (body.delay_ms or 0) * 1000)
    return causing.time


def _acked_but_redelivered(attempt: Attempt) -> bool:
    """Foreign records have no `DeliveryRepeated`; there a redelivery after the ack tells of the lost one."""
    return attempt.outcome.name == "acked" and attempt.redelivered_after


def _add_samples(samples: Sequence[TaskResourceSampled], shown: dict[str, Any]) -> None:
    cpu = [sample.cpu_process_seconds for sample in samples if sample.cpu_process_seconds is not None]
    memory = [sample.memory_rss_bytes for sample in samples if sample.memory_rss_bytes is not None]
    if cpu:
        shown["cpu_process_seconds"] = round(max(cpu) - min(cpu), 6)
    if memory:
        shown["memory_rss_bytes"] = max(memory)
