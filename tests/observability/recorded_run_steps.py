"""Records of runs for tests: what a run and its edges are kept as, and runs with little said of them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.observability.run_records.encoding import KeptRun, encode_run
from relayna.projections.lineage.run_edges import BIRTH_KINDS, Run, RunEdge, RunEdgeKind
from relayna.streams.keys import DEFAULT_TENANT, TaskAddress
from relayna.streams.run_records import StoredRun

__all__ = ["edge_to", "recorded", "some_run", "unreadable"]


def some_run(
    run_id: str, began: Instant, *, agent: str = "clerk", status: str = "completed", session_id: str = "S"
) -> Run:
    return Run(run_id=run_id, session_id=session_id, agent=agent, status=status, started_at=began)


def edge_to(run: Run, kind: RunEdgeKind, source: str | None = None) -> RunEdge:
    """An edge that led to the run, when it began."""
    return RunEdge(
        edge_id=f"{kind}.{run.run_id}", kind=kind, source=source, target=run.run_id,
        at=run.started_at or Instant(0), session_id=run.session_id, is_birth=kind in BIRTH_KINDS,
    )  # fmt: skip


def recorded(
    run: Run, edges: Sequence[RunEdge] = (), *, tenant: Tenant = DEFAULT_TENANT, expires_at: int = 2**60
) -> StoredRun:
    """The run as it is kept."""
    began = run.started_at or Instant(0)
    record = encode_run(KeptRun(run, edges), task_id=run.run_id, session_id=run.session_id, began=began)
    return StoredRun(
        address=TaskAddress(TaskId(run.run_id), tenant),
        session_id=run.session_id,
        began=began,
        expires_at=Instant(expires_at),
        data=record.data,
        heading=record.heading,
    )


def unreadable(run: Run) -> StoredRun:
    """A record of it that nobody can read."""
    return replace(recorded(run), data=b"\x7f", heading=0)
