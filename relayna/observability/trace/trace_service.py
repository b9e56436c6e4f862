"""Answers where a session's time went: its analysis, and the rows that it is made from; takes rows from outside.

Owns which streams are read: those of the task that is named and of all its relatives, within bounds; and that a
session is analysed whole, whichever of its tasks is named. The arithmetic is the projection's.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator
from typing import Final

import anyio.to_thread
from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.errors import ExecutionNotFound
from relayna.events import DEFAULT_REDACTION, RecordedEvent, Redact, RunEdgeRecorded
from relayna.ids import TaskId, Tenant
from relayna.observability.admission import Admission
from relayna.observability.family_history import FamilyHistory
from relayna.observability.family_reading import FamilyReader
from relayna.observability.graph_question import checked_question
from relayna.observability.history_gaps import missing_in
from relayna.observability.left_out import bounds_for
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.observability.stream_reading import StreamReading
from relayna.observability.trace.rows import RowType, checked_row_type, row_lines
from relayna.observability.trace.upload import Uploaded, upload_rows
from relayna.projections.kinship import parent_told_by
from relayna.projections.trace.members import events_of_session
from relayna.projections.trace.plain import session_rows
from relayna.projections.trace.profile import ProfileSummary, analyse
from relayna.projections.trace.recorded import TraceRows
from relayna.projections.trace.spans import TraceHistory
from relayna.streams import DEFAULT_TENANT, Log, TaskAddress, checked_task_id
from relayna.streams.log import DEFAULT_RETENTION_SECONDS

__all__ = ["SessionTrace", "TraceService", "analysed", "lines_of", "relatives_of"]

_GENERATIONS: Final = 1_000
_NODES: Final = 50_000
"""As much is read as a graph of so many nodes is made from."""
_FOLDED_HERE: Final = 300


class SessionTrace(Struct, frozen=True, kw_only=True):
    """All that analysis knows of a session."""

    session_id: str
    rows: TraceRows
    history: TraceHistory
    missing: list[str]
    """Why some histories are not whole; empty where all are."""


class TraceService:
    """Reads one tenant's sessions from a log, which must be open. Any number of these may read the same log.

    All that serve graphs and traces in a process share one `admission`. Questions raise `ExecutionNotFound` for a
    session of which nothing is recorded, `InvalidQuery`, `Busy` and `StoreError`.
    """

    def __init__(
        self,
        *,
        log: Log,
        tenant: Tenant = DEFAULT_TENANT,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        clock: Clock | None = None,
        admission: Admission | None = None,
        redact: Redact | None = DEFAULT_REDACTION,
        runs: KnownRuns | None = None,
    ) -> None:
        """`redact` hides secrets in what is uploaded; `runs` know which are of a session, however it is named."""
        self._log = log
        self._tenant = tenant
        self._retention_micros = retention_seconds * 1_000_000
        self._clock = clock or SystemClock()
        self._admission = admission or Admission()
        self._redact = redact
        self._runs = runs

    async def analysis(self, session_id: str) -> ProfileSummary:
        """What took how long, who waited for whom, and which path decided the end."""
        return await analysed(await self.session(session_id))

    async def lines(self, session_id: str, row_type: str) -> Iterator[bytes]:
        """The session's rows of one type as lines of JSON, each with its end. Raises `UnknownRowType` too."""
        kind = checked_row_type(row_type)
        return lines_of(await self.session(session_id), kind)

    async def session(self, session_id: str) -> SessionTrace:
        """The session of a task, which may be any of its own: a session has the id of its first one."""
        task_id = checked_question(session_id).task_id
        with self._admission.turn() as turn:
            reader = FamilyReader(
                self._log,
                tenant=self._tenant,
                bounds=bounds_for(_NODES, max_tasks=_NODES),
                now=self._clock.now(),
                retention_micros=self._retention_micros,
                before_much=turn.take,
                relatives=relatives_of,
            )
            recorded = () if self._runs is None else await self._runs.ids_of_session(task_id)
            try:
                history = await reader.read_named(task_id, recorded, depth=_GENERATIONS)
            except ExecutionNotFound:
                raise ExecutionNotFound(task_id, what="run or session") from None
            if len(history.items) <= _FOLDED_HERE:
                return _session_trace(task_id, history)
            return await anyio.to_thread.run_sync(_session_trace, task_id, history)

    async def upload(
        self, task_id: str, row_type: str, body: AsyncIterable[bytes], *, actor: str | None = None
    ) -> Uploaded:
        """Record the lines of the body as facts of the task, which need not be known yet, and who sent them.

        Raises `UnknownRowType`, `InvalidQuery` for what is no id of a task, and `StoreError`.
        """
        kind = checked_row_type(row_type)
        address = TaskAddress(checked_task_id(task_id), self._tenant)
        return await upload_rows(
            self._log, address, kind, body, clock=self._clock, redact=self._redact, actor=actor
        )


async def analysed(trace: SessionTrace) -> ProfileSummary:
    """The analysis of a session, made in a thread."""
    return await anyio.to_thread.run_sync(analyse, trace.history)


def lines_of(trace: SessionTrace, kind: RowType) -> Iterator[bytes]:
    """The session's rows of one type, each a line with its end."""
    return (line + b"\n" for line in row_lines(kind, trace.rows, trace.history))


def relatives_of(reading: StreamReading) -> set[TaskId]:
    """Whom a stream names as what its task came from, or as what came of it."""
    found = set(reading.children)
    for event in reading.events:
        if (parent := parent_told_by(event)) is not None:
            found.add(parent)
        if isinstance(event.body, RunEdgeRecorded):
            found.update(one for one in (event.body.source_run, event.body.target_run) if one)
    return found


def _session_trace(asked: TaskId, history: FamilyHistory) -> SessionTrace:
    events = [item for item in history.items if isinstance(item, RecordedEvent)]
    session = events_of_session(asked, events)
    rows, told = session_rows(session.session_id, session.events)
    return SessionTrace(
        session_id=session.session_id,
        rows=rows,
        history=told,
        missing=missing_in(history),
    )
