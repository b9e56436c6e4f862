"""Reads from a log what a bundle is made of. Owns how much that is, and that nothing leaves unredacted."""

from __future__ import annotations

from typing import Final

from relayna.clock import Clock, SystemClock
from relayna.events import DEFAULT_REDACTION, RecordedEvent, Redaction
from relayna.observability.family_reading import FamilyReader
from relayna.observability.graph_question import checked_question
from relayna.observability.incident.bundle import Incident, Origin
from relayna.observability.incident.records import given_away
from relayna.observability.left_out import bounds_for
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.streams import Log
from relayna.streams.keys import checked_tenant
from relayna.streams.log import DEFAULT_RETENTION_SECONDS

__all__ = ["DEFAULT_MAX_NODES", "read_incident"]

DEFAULT_MAX_NODES: Final = 2_000
"""About 30,000 events are read for these."""
_MOST_TASKS: Final = 10_000


async def read_incident(
    log: Log,
    task_id: str,
    *,
    origin: Origin,
    depth: int = DEFAULT_DEPTH,
    max_nodes: int = DEFAULT_MAX_NODES,
    redaction: Redaction = DEFAULT_REDACTION,
    retention_seconds: int = DEFAULT_RETENTION_SECONDS,
    clock: Clock | None = None,
) -> Incident:
    """Read the task of `origin.tenant` and `depth` generations of children; the log must be open.

    Raises `ExecutionNotFound`, `InvalidQuery` and `StoreError`.
    """
    question = checked_question(task_id, depth=depth, max_nodes=max_nodes)
    reader = FamilyReader(
        log,
        tenant=checked_tenant(origin.tenant),
        bounds=bounds_for(max_nodes, max_tasks=_MOST_TASKS),
        now=(clock or SystemClock()).now(),
        retention_micros=retention_seconds * 1_000_000,
        before_much=_go_on,
    )
    history = await reader.read(question.task_id, depth=depth)
    history.items = [
        given_away(item, redaction, with_payloads=origin.with_payloads)
        if isinstance(item, RecordedEvent)
        else item
        for item in history.items
    ]
    return Incident(
        task_id=question.task_id, depth=depth, max_nodes=max_nodes, origin=origin, history=history
    )


async def _go_on() -> None:
    """Nobody else is served by this process: there is no turn to wait for."""
