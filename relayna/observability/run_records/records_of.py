"""The record of one task's run: what its own stream tells of it, and of the edges that led to it.

Owns when there is one, and when the run is said to have begun. Reads and writes nothing.
"""

from __future__ import annotations

from typing import Final

from relayna.events.sanitise import storable_text
from relayna.instants import UNTIMED, Instant
from relayna.observability.run_records.encoding import KeptRun, encode_run
from relayna.observability.run_records.retention import RunRetention
from relayna.projections.lineage.run_edges import RunLineage
from relayna.streams import TaskAddress
from relayna.streams.run_records import StoredRun

__all__ = ["RECORDS_VERSION", "record_of"]

RECORDS_VERSION: Final = 1
"""Raise it when records say something else: what streams still tell is then folded anew."""


def record_of(
    lineage: RunLineage, address: TaskAddress, *, retention: RunRetention, stream_ends: Instant
) -> StoredRun | None:
    """The record, from the lineage of the task's own stream; None for a task that has neither a birth nor begun."""
    run = lineage.runs.get(storable_text(address.task_id))
    if run is None:
        return None
    edges = [edge for edge in lineage.edges if edge.target == run.run_id]
    if run.started_at is None and not any(edge.is_birth for edge in edges):
        return None
    told = (run.started_at, run.ended_at, *(edge.at for edge in edges))
    times = [at for at in told if at is not None and at != UNTIMED]
    if not times:
        return None
    began = min(times)
    record = encode_run(KeptRun(run, edges), task_id=address.task_id, session_id=run.session_id, began=began)
    return StoredRun(
        address=address,
        session_id=run.session_id,
        began=began,
        expires_at=retention.expires_at(
            address.tenant, began=began, last=max(times), stream_ends=stream_ends
        ),
        data=record.data,
        heading=record.heading,
    )
