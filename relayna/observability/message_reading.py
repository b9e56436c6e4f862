"""Which histories questions about messages are answered from: a session's, a task's family's, or recent tasks'.

Owns which streams are read, in which order, and that they are bounded. Rows are the projection's
(`relayna/projections/messages`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Final

import anyio.to_thread
from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.errors import ExecutionNotFound, InvalidQuery
from relayna.events import RunEdgeRecorded
from relayna.ids import TaskId, Tenant
from relayna.observability.admission import Admission
from relayna.observability.family_history import FamilyHistory
from relayna.observability.family_reading import FamilyReader, Relatives
from relayna.observability.graph_question import checked_question
from relayna.observability.history_gaps import missing_in
from relayna.observability.left_out import bounds_for
from relayna.observability.read_models import ExecutionLists, ExecutionsWanted
from relayna.observability.read_models.questions import MOST_LISTED
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.observability.stream_reading import StreamReading
from relayna.projections.execution import GraphQuery
from relayna.projections.kinship import parent_told_by
from relayna.projections.messages.message_row import MessageRow
from relayna.projections.messages.message_rows import MESSAGE_ROWS
from relayna.streams import DEFAULT_TENANT, Log
from relayna.streams.log import DEFAULT_RETENTION_SECONDS

__all__ = ["RECENT_TASKS", "KnownMessages", "MessageReader"]

RECENT_TASKS: Final = 1_000
"""So many of the tasks that started last are looked at where no session is named."""
_GENERATIONS: Final = 1_000
"""Each costs a round trip."""
_NODES: Final = 50_000
"""As much is read as a graph of so many nodes is made from."""
_FOLDED_HERE: Final = 300
_OF_OTHER_SESSIONS: Final = ("replayed_from", "cross_session_bridge")


class KnownMessages(Struct, frozen=True, kw_only=True):
    """The rows of some histories, in the order in which they began."""

    rows: list[MessageRow]
    missing: list[str]
    session_id: str | None = None
    """The session that they are of, where one was asked for: perhaps by the id of one of its runs."""


class MessageReader:
    """Reads one tenant's messages from a log, which must be open.

    `lists` find tasks where no session is named; without them, such questions are `InvalidQuery`. `runs` know which
    are of a session, however it is named.
    """

    def __init__(
        self,
        *,
        log: Log,
        tenant: Tenant = DEFAULT_TENANT,
        lists: ExecutionLists | None = None,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        clock: Clock | None = None,
        admission: Admission | None = None,
        runs: KnownRuns | None = None,
    ) -> None:
        self._log = log
        self._tenant = tenant
        self._lists = lists
        self._retention_micros = retention_seconds * 1_000_000
        self._clock = clock or SystemClock()
        self._admission = admission or Admission()
        self._runs = runs

    async def of_session(self, session_id: str) -> KnownMessages:
        """All messages of a session, by its id or by that of one of its runs.

        Raises `ExecutionNotFound`, `InvalidQuery`, `Busy` and `StoreError`.
        """
        asked = checked_question(session_id).task_id
        session, known = asked, await self._around(asked)
        if known is None or not any(row.session_id == asked for row in known.rows):
            session = await self._session_of(asked, known) or asked
            known = known if session == asked else (await self._around(session) or known)
        if known is None:
            raise ExecutionNotFound(asked)
        rows = [row for row in known.rows if row.session_id == session]
        return KnownMessages(rows=rows, missing=known.missing, session_id=session)

    async def _around(self, session_id: TaskId) -> KnownMessages | None:
        """What is read for a session; None when nothing is recorded of that name."""
        recorded = [] if self._runs is None else await self._runs.ids_of_session(session_id)
        try:
            return await self._read_family(session_id, recorded)
        except ExecutionNotFound:
            return None

    async def _session_of(self, run_id: TaskId, known: KnownMessages | None) -> TaskId | None:
        """The session of a run, by its own stream, else by its record; None of what is no run."""
        rows = () if known is None else known.rows
        told = next((row.session_id for row in rows if row.task_id == run_id), None)
        if told is None and self._runs is not None:
            kept = await self._runs.of_run(run_id)
            told = None if kept is None else kept.run.session_id
        return None if told is None else checked_question(told).task_id

    async def of_task(self, task_id: str) -> KnownMessages:
        """All messages of a task and its relatives. Raises as `of_session` does."""
        return await self._read_family(checked_question(task_id).task_id)

    async def of_recent_tasks(self) -> KnownMessages:
        """The messages of the tasks that started last. Raises as `of_session` does."""
        task_ids: list[TaskId] = []
        missing: set[str] = set()
        async for tasks, is_last in self._recent():
            task_ids += tasks
            missing = set() if is_last else {"older_tasks"}
        known = await self._read_only(task_ids)
        return KnownMessages(rows=known.rows, missing=sorted({*known.missing, *missing}))

    async def task_of(self, message_id: str, *, beginning: bool = False) -> TaskId | None:
        """The recent task of a message, if it is one's: newest first, a page at a time. Raises as `of_session` does."""
        async for tasks, _ in self._recent():
            known = await self._read_only(tasks)
            for row in known.rows:
                if row.id == message_id or (beginning and row.id.startswith(message_id)):
                    return TaskId(row.task_id)
        return None

    async def _recent(self) -> AsyncIterator[tuple[list[TaskId], bool]]:
        """Pages of tasks, newest first, and whether that is the last page there is."""
        if self._lists is None:
            raise InvalidQuery("session", "name one: beside this log there are no lists to find tasks by")
        wanted, cursor = 0, None
        while wanted < RECENT_TASKS:
            page = await self._lists.executions(ExecutionsWanted(limit=MOST_LISTED, cursor=cursor))
            wanted, cursor = wanted + MOST_LISTED, page.next
            yield [one.task_id for one in page.executions], cursor is None
            if cursor is None:
                return

    async def _read_only(self, task_ids: Sequence[TaskId]) -> KnownMessages:
        """These tasks and none of their relatives; some may be gone by now."""
        return await self._read(_nobody, lambda reader: reader.read_all(task_ids, depth=0))

    async def _read_family(self, named: TaskId, beside: Collection[TaskId] = ()) -> KnownMessages:
        return await self._read(
            _relatives, lambda reader: reader.read_named(named, beside, depth=_GENERATIONS)
        )

    async def _read(
        self, relatives: Relatives, read: Callable[[FamilyReader], Awaitable[FamilyHistory]]
    ) -> KnownMessages:
        with self._admission.turn() as turn:
            reader = FamilyReader(
                self._log,
                tenant=self._tenant,
                bounds=bounds_for(_NODES, max_tasks=_NODES),
                now=self._clock.now(),
                retention_micros=self._retention_micros,
                before_much=turn.take,
                relatives=relatives,
            )
            history = await read(reader)
            if len(history.items) <= _FOLDED_HERE:
                rows = _fold(history)
            else:
                rows = await anyio.to_thread.run_sync(_fold, history)
        return KnownMessages(rows=rows, missing=missing_in(history))


def _fold(history: FamilyHistory) -> list[MessageRow]:
    state = MESSAGE_ROWS.initial(TaskId("-"))  # of its rows none is the first
    for item in history.items:
        MESSAGE_ROWS.apply(state, item)
    return MESSAGE_ROWS.finish(state, GraphQuery()).rows


def _nobody(_: StreamReading) -> Collection[TaskId]:
    return ()


def _relatives(reading: StreamReading) -> set[TaskId]:
    """Whom the stream names of its task's session: parents, children, what edges lead to, the session's first run."""
    found = set(reading.children)
    for event in reading.events:
        envelope, body = event.envelope, event.body
        if (parent := parent_told_by(event)) is not None:
            found.add(parent)
        if envelope.session_id:
            found.add(TaskId(envelope.session_id))
        if isinstance(body, RunEdgeRecorded):
            found.add(body.target_run)
            if body.source_run and body.kind not in _OF_OTHER_SESSIONS:
                found.add(body.source_run)
    return found
