"""Draws workflow messages: a node for each logical message, how it came to be, and what joined it.

A retried, replayed or redelivered copy adds no node.
"""

from __future__ import annotations

from relayna.events import WorkflowMessagePublished, WorkflowMessageReceived, WorkflowStageAcked
from relayna.instants import Instant
from relayna.projections.attempts import Attempt
from relayna.projections.attribution import OBSERVED, Evidence
from relayna.projections.drawing import Drawing, node_id
from relayna.projections.graph import NodeState
from relayna.projections.ordering import PlacedEvent
from relayna.projections.task_run import LogicalMessage, TaskRun

__all__ = ["draw_messages"]


def draw_messages(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Every logical message and the one edge that it is born of."""
    for message in run.messages.values():
        own_id = node_id("workflow-message", message.message_id)
        first = message.published or (message.attempts[0].opened if message.attempts else None)
        stage, origin = _stages(message, first)
        drawing.node(
            own_id,
            "workflow_message",
            task_id=run.task_id,
            label=stage or message.message_id,
            ref=message.message_id,
            time=first.time if first else None,
            annotations={"state": _state(message), "stage": stage, "origin_stage": origin},
        )
        _draw_birth(run, message, first, home, drawing)
    _draw_joins(run, drawing)


def _stages(message: LogicalMessage, first: PlacedEvent | None) -> tuple[str | None, str | None]:
    bodies = [first.event.body] if first else []
    bodies += [attempt.opened.event.body for attempt in message.attempts if attempt.opened]
    known = [body for body in bodies if isinstance(body, WorkflowMessagePublished | WorkflowMessageReceived)]
    stage = next((body.stage for body in known if body.stage), None)
    return stage, next((body.origin_stage for body in known if body.origin_stage), None)


def _state(message: LogicalMessage) -> NodeState:
    return message.attempts[-1].outcome.state if message.attempts else "queued"


def _draw_birth(
    run: TaskRun, message: LogicalMessage, first: PlacedEvent | None, home: str, drawing: Drawing
) -> None:
    own_id = node_id("workflow-message", message.message_id)
    time = first.time if first else None
    maker, evidence, rule = _maker(run, message, first)
    if maker is not None:
        drawing.edge(maker.node_id, own_id, "stage_transitioned_to", time=time, evidence=evidence, rule=rule)
    else:
        drawing.edge(home, own_id, "received_by", time=time, evidence=evidence, rule=rule)


def _maker(
    run: TaskRun, message: LogicalMessage, first: PlacedEvent | None
) -> tuple[Attempt | None, Evidence, str | None]:
    """The stage attempt that published the message; none when it came from outside."""
    published = message.published
    by = run.attempts.with_id(published.event.envelope.attempt_id) if published else None
    if by is not None:
        return by, OBSERVED, None
    _, origin = _stages(message, first)
    if origin is None:
        has_ids = first is not None and (
            first.event.envelope.attempt_id or first.event.envelope.cause or published
        )
        return (None, OBSERVED, None) if has_ids else (None, "inferred", "no_origin_stage")
    maker = run.attempts.newest_of_stage(origin, Instant(first.key[0])) if first else None
    return (maker, "inferred", "origin_stage") if maker else (None, "inferred", "no_attempt_begun_by_then")


def _draw_joins(run: TaskRun, drawing: Drawing) -> None:
    for attempt in run.attempts.members:
        for placed in attempt.closings:
            body = placed.event.body
            joined = body.joined_message_ids if isinstance(body, WorkflowStageAcked) else ()
            for message_id in sorted(set(joined)):
                own_id = node_id("workflow-message", message_id)
                if own_id != run.message_of.get(attempt.ref):
                    evidence = OBSERVED if attempt.observed else "inferred"
                    drawing.edge(own_id, attempt.node_id, "joined_from", time=placed.time, evidence=evidence)
