"""Draws workflow messages: a node for each logical message, how it came to be, and what joined it.

A retried, replayed or redelivered copy adds no node.
"""

from __future__ import annotations

from relayna.projections.attempt_nodes import attempt_state
from relayna.projections.attribution import OBSERVED
from relayna.projections.drawing import Drawing, annotated
from relayna.projections.graph import EdgeKind, NodeState
from relayna.projections.logical_messages import LogicalMessage
from relayna.projections.task_run import TaskRun

__all__ = ["draw_messages"]


def draw_messages(run: TaskRun, home: str, drawing: Drawing) -> None:
    """Every logical message and the one edge that it is born of."""
    if not run.messages:
        return
    for message in run.messages.values():
        first = message.first()
        stage, origin_stage = message.stages()
        time = first.time if first else None
        drawing.node(
            message.node_id,
            "workflow_message",
            task_id=run.task_id,
            label=stage or message.message_id,
            time=time,
            annotations=annotated(
                message.message_id, {"state": _state(message), "stage": stage, "origin_stage": origin_stage}
            ),
        )
        by = message.origin
        source = by.attempt.node_id if by.attempt else home
        kind: EdgeKind = "stage_transitioned_to" if by.attempt else "received_by"
        drawing.edge(source, message.node_id, kind, time=time, evidence=by.evidence, rule=by.rule)
    _draw_joins(run, drawing)


def _state(message: LogicalMessage) -> NodeState:
    if message.attempts:
        newest = message.attempts[-1]
        return "retrying" if newest.outcome.name == "retried" else attempt_state(newest)
    return attempt_state(message.joined[-1]) if message.joined else "queued"


def _draw_joins(run: TaskRun, drawing: Drawing) -> None:
    for message in run.messages.values():
        joined = {
            attempt.ref: attempt for attempt in message.joined if attempt.message_node != message.node_id
        }
        for attempt in joined.values():
            evidence = OBSERVED if attempt.observed else "inferred"
            time = attempt.closed_at
            drawing.edge(message.node_id, attempt.node_id, "joined_from", time=time, evidence=evidence)
