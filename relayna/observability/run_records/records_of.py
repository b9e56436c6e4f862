"""The record of one task's run: what its own stream tells of it, and of the edges that led to it.

Owns when there is one, and when the run is said to have begun. Reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from relayna.events.sanitise import storable_text
from relayna.instants import UNTIMED, Instant
from relayna.observability.run_records.encoding import KeptRun, ParentsWord, encode_run
from relayna.observability.run_records.retention import RunRetention
from relayna.projections.lineage.run_edges import Run, RunEdge, RunLineage
from relayna.projections.lineage.run_lineage import RUN_LINEAGE
from relayna.streams import TaskAddress
from relayna.streams.run_records import StoredRun

__all__ = ["RECORDS_VERSION", "record_of"]

RECORDS_VERSION: Final = RUN_LINEAGE.version * 10 + 1
"""Raise either when records say something else: what streams still tell is then folded anew."""


_WORDS_KEPT: Final = 1_000
"""Of one run; the children beyond are shown without what their parent called them."""


def record_of(
    lineage: RunLineage, address: TaskAddress, *, retention: RunRetention, stream_ends: Instant
) -> StoredRun | None:
    """The record, from the lineage of the task's own stream; None for a task that has neither a birth nor begun."""
    run = lineage.runs.get(storable_text(address.task_id))
    if run is None:
        return None
    edges = [edge for edge in lineage.edges if edge.target == run.run_id or _leads_away(edge, run)]
    if run.started_at is None and not any(edge.is_birth for edge in edges if edge.target == run.run_id):
        return None
    told = (run.started_at, run.ended_at, *(edge.at for edge in edges))
    times = [at for at in told if at is not None and at != UNTIMED]
    if not times:
        return None
    began = min(times)
    kept = KeptRun(run, edges, _words(run, lineage.edges))
    record = encode_run(kept, task_id=address.task_id, session_id=run.session_id, began=began)
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


def _leads_away(edge: RunEdge, run: Run) -> bool:
    """Whether it leads to another session: from here nothing else would."""
    return edge.source == run.run_id and edge.kind in ("cross_session_bridge", "replayed_from")


def _words(run: Run, edges: Iterable[RunEdge]) -> list[ParentsWord]:
    """What a child's own stream does not know of its birth."""
    words = (
        ParentsWord(edge.edge_id, edge.variant, edge.label, edge.group_key)
        for edge in edges
        if edge.source == run.run_id != edge.target and (edge.variant or edge.label or edge.group_key)
    )
    return list(islice(words, _WORDS_KEPT))
