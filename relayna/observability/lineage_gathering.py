"""What one question about runs has gathered so far: histories from streams, and records.

Owns that each session and run is looked up once, and what is made of all of it together. Which steps are taken, and in
which order, is `lineage_reading.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol, TypeVar

import anyio.to_thread
from msgspec import Struct
from msgspec.structs import replace

from relayna.events import RecordedEvent, TaskPublished, WorkflowMessagePublished
from relayna.events.history import StreamFact
from relayna.ids import TaskId, Tenant
from relayna.observability.admission import Turn
from relayna.observability.family_history import FamilyHistory
from relayna.observability.family_reading import FamilyReader, Relatives
from relayna.observability.history_gaps import gaps_in
from relayna.observability.read_models.progress import ReadModelProgress
from relayna.observability.read_models.questions import AsOf
from relayna.observability.run_records.encoding import KeptRun
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.observability.run_records.merging import as_it_was, merged
from relayna.projections.execution import GraphQuery
from relayna.projections.fact_ids import fact_id
from relayna.projections.lineage.run_edges import RunLineage
from relayna.projections.lineage.run_lineage import RUN_LINEAGE
from relayna.projections.lineage.walks import walk_up
from relayna.projections.projection import Item

__all__ = ["ALL_GENERATIONS", "FEW_RUNS", "LineageGathering", "ReaderMaker", "Recorded", "beside_the_loop"]

ALL_GENERATIONS: Final = 1_000
"""So many are read where all of them are asked for: each costs a round trip."""
FEW_RUNS: Final = 300
"""So many runs are read from their streams; of more, records are."""

_MADE_HERE: Final = 300
_ROUNDS: Final = 5
_LOOKED_UP: Final = 16
"""Of runs to which edges of other sessions lead, in each round."""
_COVERED: Final = ("expired", "limit_reached")

_MadeT = TypeVar("_MadeT")


class Recorded(Struct, frozen=True):
    """One tenant's run records, and how far behind they are."""

    runs: KnownRuns
    progress: ReadModelProgress


class ReaderMaker(Protocol):
    """Makes who reads streams; `is_few` bounds it to as many runs as are read from their streams at most."""

    def __call__(self, relatives: Relatives, *, is_few: bool) -> FamilyReader:
        """One reading."""


class LineageGathering:
    """One question's. Methods raise `StoreError`, those that read streams also `ExecutionNotFound` and `Busy`."""

    def __init__(
        self,
        reader_for: ReaderMaker,
        *,
        turn: Turn,
        recorded: Recorded | None,
        tenant: Tenant,
        query: GraphQuery,
    ) -> None:
        self._reader_for = reader_for
        self._turn = turn
        self._recorded = recorded
        self._tenant = tenant
        self._query = query
        self._histories: list[FamilyHistory] = []
        self._whole: set[str] = set()
        """Runs whose streams were read whole."""
        self._told = RunLineage(runs={}, edges=[])
        self._since = self._told
        """The same with all that came after the time that is asked for: a run is of a session before it begins."""
        self._sessions: set[str] = set()
        self._looked_up: set[str] = set()
        self._is_current = False
        self._is_cut = False
        """Not all generations were read."""
        self.records: dict[str, list[KeptRun]] = {}
        """By run."""

    async def read_from(self, task: TaskId, relatives: Relatives, *, depth: int, few: bool = False) -> None:
        """The stream of a task, which must be there, and of so many generations of relatives, or few of them."""
        await self._take_in(await self._reader_for(relatives, is_few=few).read(task, depth=depth), depth)

    async def read(self, tasks: Collection[TaskId], relatives: Relatives, *, depth: int) -> None:
        """The streams of these tasks, as far as they are there, and of so many generations of relatives."""
        await self._take_in(
            await self._reader_for(relatives, is_few=False).read_all(tasks, depth=depth), depth
        )

    async def take_session(self, session_id: str) -> None:
        """The records of a session."""
        if self._recorded is None or session_id in self._sessions:
            return
        self._sessions.add(session_id)
        found = await self._recorded.runs.of_session(session_id, before_much=self._turn.take)
        self._take(found)

    async def look_up(self, run_id: str) -> bool:
        """The record of a run, whatever its session; whether there is one."""
        if self._recorded is None:
            return False
        self._looked_up.add(run_id)
        found = await self._recorded.runs.of_run(run_id)
        if found is not None and run_id not in self.records:
            self._take([found])
        return found is not None

    async def follow(self, *, rounds: int = _ROUNDS) -> None:
        """Runs that edges lead to, and of which nothing else is known; in all rounds but the last with their sessions."""
        if self._recorded is None:
            return
        for left in reversed(range(rounds)):
            unknown = [run_id for run_id in self._named() if run_id not in self._looked_up][:_LOOKED_UP]
            for run_id in unknown:
                if await self.look_up(run_id) and left:
                    await self.take_session(self.session_of(run_id))
            if not unknown:
                return

    async def catch_up(self) -> None:
        """The streams of what has changed since records were written, unless that is too much."""
        if self._recorded is None:
            return
        changed = await self._recorded.progress.unfolded(self._tenant, most=FEW_RUNS)
        if changed is None:
            return
        self._is_current = True
        if changed:
            await self.read(changed, _nobody, depth=0)

    def tells_ancestors(self, run_id: str, generations: int) -> bool:
        """Whether streams tell all that a run came from, so many generations back.

        A stream without the message by which its run started may have begun anew, after an older one had expired.
        """
        walk = walk_up(self._told.edges, run_id, max_hops=generations, causal=False)
        from_outside = {hop.edge.target for hop in walk.hops if hop.edge.kind == "user_start"}
        started = {
            item.envelope.task_id
            for history in self._histories
            for item in history.items
            if isinstance(item, RecordedEvent)
            and isinstance(item.body, TaskPublished | WorkflowMessagePublished)
        }
        is_whole = run_id in self._told.runs and self._whole.issuperset(walk.runs)
        return is_whole and started.issuperset(from_outside)

    def session_of(self, run_id: str) -> str:
        """The session of a run of which something is known; of any other its own id."""
        if run_id in self.records and run_id not in self._whole:
            return self.records[run_id][-1].run.session_id
        run = self._since.runs.get(run_id)
        return run_id if run is None else run.session_id

    async def lineage(self) -> RunLineage:
        """All of it together."""
        told, read, at = self._told, self._whole, self._query.at
        before = self._before_streams()
        renewed = {record.run.run_id for record in before}
        records = [record for several in self.records.values() for record in several]
        records = [record for record in records if record.run.run_id not in renewed] + before
        if at is not None:
            records = [as_it_was(record, at) for record in records]
        size = len(records) + len(told.edges)
        return await beside_the_loop(size, lambda: merged(told, records, read=read, renewed=renewed))

    def missing(self) -> list[str]:
        """Why some histories are not whole, but for those of which there is a record."""
        missing = {
            reason
            for history in self._histories
            for task_id, reason in gaps_in(history)
            if reason not in _COVERED or task_id not in self.records
        }
        return sorted(missing | {"limit_reached"} if self._is_cut else missing)

    async def as_of(self, *, is_session: bool) -> AsOf | None:
        """How far behind it is; None where it is not. A session may have runs that nothing but its id connects."""
        if self._recorded is None or self._is_current:
            return None
        if not is_session and not self.records.keys() - self._whole:
            return None
        as_of = await self._recorded.progress.as_of()
        return None if as_of.lag_ms == 0 else as_of

    async def _take_in(self, history: FamilyHistory, depth: int) -> None:
        self._histories.append(history)
        self._is_cut = self._is_cut or (history.beyond > 0 and depth >= ALL_GENERATIONS)
        left_out = set(history.left_out)
        cut = {
            item.task_id for item in history.items if isinstance(item, StreamFact) and item.name == "trimmed"
        }
        read = {item.envelope.task_id for item in history.items if isinstance(item, RecordedEvent)}
        self._whole |= {task_id for task_id in read if task_id not in left_out and task_id not in cut}
        items = [item for one in self._histories for item in one.items]
        query = self._query
        self._told = self._since = await beside_the_loop(len(items), lambda: _fold(items, query))
        if query.at is not None:
            whole = replace(query, at=None)
            self._since = await beside_the_loop(len(items), lambda: _fold(items, whole))

    def _before_streams(self) -> list[KeptRun]:
        """Records that tell a birth which the run's stream, read whole, does not hold: the stream has begun anew."""
        doubted = [record for run_id in self._whole for record in self.records.get(run_id, ())]
        if not doubted:
            return []
        items = (item for history in self._histories for item in history.items)
        held = {
            (item.envelope.task_id, fact_id(item.envelope))
            for item in items
            if isinstance(item, RecordedEvent) and item.envelope.task_id in self.records
        }
        return [
            record
            for record in doubted
            if any(
                edge.is_birth and edge.target == record.run.run_id and (edge.target, edge.edge_id) not in held
                for edge in record.edges
            )
        ]

    def _take(self, found: Iterable[KeptRun]) -> None:
        for record in found:
            self.records.setdefault(record.run.run_id, []).append(record)

    def _named(self) -> dict[str, None]:
        """Runs that are named and not known."""
        edges = [*self._told.edges]
        edges += (edge for several in self.records.values() for record in several for edge in record.edges)
        named = (run_id for edge in edges for run_id in (edge.source, edge.target) if run_id is not None)
        return {run_id: None for run_id in named if run_id not in self._whole and run_id not in self.records}


async def beside_the_loop(size: int, make: Callable[[], _MadeT]) -> _MadeT:
    """What `make` makes: in a thread when that is much."""
    return make() if size <= _MADE_HERE else await anyio.to_thread.run_sync(make)


def _fold(items: Iterable[Item], query: GraphQuery) -> RunLineage:
    state = RUN_LINEAGE.initial(TaskId("-"))
    for item in items:
        RUN_LINEAGE.apply(state, item)
    return RUN_LINEAGE.finish(state, query)


def _nobody(_: object) -> Collection[TaskId]:
    return ()
