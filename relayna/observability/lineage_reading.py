"""Brings together what is known of runs: their streams, and the records of those whose streams do not tell of them.

Owns which of both a question is answered from. Few runs are read from their streams, which are always up to date; of
many the records are read, and the streams of what has changed since. Judges nothing: projections do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from relayna.clock import Clock
from relayna.errors import ExecutionNotFound
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.observability.admission import Admission, Turn
from relayna.observability.family_reading import FamilyReader, Relatives
from relayna.observability.left_out import bounds_for
from relayna.observability.lineage_gathering import ALL_GENERATIONS, FEW_RUNS, LineageGathering, Recorded
from relayna.observability.read_models.questions import AsOf
from relayna.projections.execution import GraphQuery
from relayna.projections.lineage.run_edges import Run, RunLineage
from relayna.streams import Log

__all__ = ["KnownLineage", "LineageReader"]

_NODES: Final = 50_000
"""Without records, as much is read as a graph of so many nodes is made from."""


class KnownLineage(Struct, frozen=True, kw_only=True):
    """What is known, and how well."""

    lineage: RunLineage
    session_id: str
    """Of whoever was asked for."""
    missing: list[str]
    """Why some histories are not whole: `trimmed`, `expired`, `limit_reached`."""
    as_of: AsOf | None
    """How far behind the records are that some of it is from; None where all is as it stands."""


class LineageReader:
    """Reads one tenant's runs from a log, which must be open, and from its records, where there are any.

    Methods raise `ExecutionNotFound` for a run of which nothing is recorded, `Busy` and `StoreError`.
    """

    def __init__(
        self,
        log: Log,
        *,
        tenant: Tenant,
        recorded: Recorded | None,
        retention_micros: int,
        terminal_statuses: Sequence[str],
        clock: Clock,
        admission: Admission,
    ) -> None:
        self._log = log
        self._tenant = tenant
        self._recorded = recorded
        self._retention_micros = retention_micros
        self._terminal = tuple(terminal_statuses)
        self._clock = clock
        self._admission = admission

    async def of_ancestors(self, run_id: TaskId, relatives: Relatives, *, generations: int) -> KnownLineage:
        """A run and so many generations of what it came from: of few, and all there, streams tell everything."""
        with self._admission.turn() as turn:
            gathering = self._begin(turn, None)
            session_id = await self._read_from(gathering, run_id, relatives, generations, few=True)
            if self._recorded is not None and not gathering.tells_ancestors(run_id, generations):
                await self._complete(gathering, run_id, session_id, relatives, generations)
            return await self._known(gathering, run_id)

    async def of_descendants(self, run_id: TaskId, relatives: Relatives, *, generations: int) -> KnownLineage:
        """A run, so many generations of what streams say came of it, and what records of their sessions say."""
        with self._admission.turn() as turn:
            gathering = self._begin(turn, None)
            depth = generations if self._recorded is None else 0
            session_id = await self._read_from(gathering, run_id, relatives, depth)
            if self._recorded is not None:
                await self._complete(gathering, run_id, session_id, relatives, generations)
            return await self._known(gathering, run_id)

    async def of_session(
        self, asked: TaskId, relatives: Relatives, *, at: Instant | None = None
    ) -> KnownLineage:
        """A session, by its id or by that of one of its runs."""
        with self._admission.turn() as turn:
            gathering = self._begin(turn, at)
            await gathering.take_session(asked)
            by_its_id = bool(gathering.records)
            session_id = asked
            if not by_its_id:
                depth = ALL_GENERATIONS if self._recorded is None else 0
                session_id = await self._read_from(gathering, asked, relatives, depth)
                await gathering.take_session(session_id)
            if len(gathering.records) > FEW_RUNS:
                await gathering.catch_up()
            elif self._recorded is not None:
                roots = [asked, session_id, *map(TaskId, gathering.records)]
                await gathering.read(roots, relatives, depth=ALL_GENERATIONS)
            await gathering.follow(rounds=1)
            known = await self._known(gathering, asked, is_session=True)
            return replace(known, session_id=asked) if by_its_id else known

    async def _read_from(
        self,
        gathering: LineageGathering,
        run_id: TaskId,
        relatives: Relatives,
        depth: int,
        *,
        few: bool = False,
    ) -> TaskId:
        """A run and its relatives; says the run's session, by its own stream, else by its record."""
        try:
            await gathering.read_from(run_id, relatives, depth=depth, few=few and self._recorded is not None)
        except ExecutionNotFound:
            if not await gathering.look_up(run_id):
                raise ExecutionNotFound(run_id, what="run or session") from None
        return TaskId(gathering.session_of(run_id))

    @staticmethod
    async def _complete(
        gathering: LineageGathering, run_id: TaskId, session_id: str, relatives: Relatives, generations: int
    ) -> None:
        """The records of the session, and streams: of all relatives, or of what has changed when they are many."""
        await gathering.take_session(session_id)
        if len(gathering.records) > FEW_RUNS:
            await gathering.catch_up()
        else:
            await gathering.read([run_id], relatives, depth=generations)
            await gathering.take_session(gathering.session_of(run_id))
        await gathering.follow()

    @staticmethod
    async def _known(gathering: LineageGathering, run_id: str, *, is_session: bool = False) -> KnownLineage:
        lineage = await gathering.lineage()
        if not is_session:
            lineage.runs.setdefault(run_id, Run(run_id=run_id, session_id=run_id))
        run = lineage.runs.get(run_id)  # of a session, none before it began
        return KnownLineage(
            lineage=lineage,
            session_id=gathering.session_of(run_id) if run is None else run.session_id,
            missing=gathering.missing(),
            as_of=await gathering.as_of(is_session=is_session),
        )

    def _begin(self, turn: Turn, at: Instant | None) -> LineageGathering:
        many = bounds_for(_NODES, max_tasks=_NODES)
        few = replace(many, tasks=FEW_RUNS)

        def reader_for(relatives: Relatives, *, is_few: bool) -> FamilyReader:
            return FamilyReader(
                self._log,
                tenant=self._tenant,
                bounds=few if is_few else many,
                now=self._clock.now(),
                retention_micros=self._retention_micros,
                before_much=turn.take,
                relatives=relatives,
            )

        query = GraphQuery(at=at, terminal_statuses=self._terminal)
        return LineageGathering(
            reader_for, turn=turn, recorded=self._recorded, tenant=self._tenant, query=query
        )
