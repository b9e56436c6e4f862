"""Answers how runs led to one another: up, down, why, a whole session, two runs beside each other.

Owns which streams a question is answered from: those of the run and of whoever they name, up, down or both,
within bounds. Edges and walks are the projection's (`relayna/projections/lineage`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, get_args

import anyio.to_thread

from relayna.clock import Clock, SystemClock
from relayna.errors import InvalidQuery
from relayna.events import RunEdgeRecorded
from relayna.events.history import StreamFact
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.observability.admission import Admission
from relayna.observability.family_reading import FamilyHistory, FamilyReader, Relatives
from relayna.observability.graph_question import Moment, checked_question
from relayna.observability.left_out import bounds_for
from relayna.observability.lineage_told import (
    Births,
    Downstream,
    RunsCompared,
    Session,
    Upstream,
    births_told,
    compared_told,
    downstream_told,
    session_told,
    upstream_told,
)
from relayna.observability.lineage_view import PLAIN_VIEW, LineageView
from relayna.observability.stream_reading import StreamReading
from relayna.projections.execution import GraphQuery
from relayna.projections.kinship import parent_told_by
from relayna.projections.lineage.diff import diff_runs
from relayna.projections.lineage.run_edges import EDGE_KINDS, Run, RunEdgeKind, RunLineage
from relayna.projections.lineage.run_lineage import RUN_LINEAGE
from relayna.projections.lineage.session_graph import DownstreamGraph, downstream_graph, session_graph
from relayna.projections.lineage.walks import DEFAULT_HOPS, MAX_HOPS, birth_chain, walk_up
from relayna.streams import DEFAULT_TENANT, Log
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.topologies import Topology

__all__ = ["LineageService", "checked_kinds"]

_GENERATIONS: Final = 1_000
"""Of a chain of births, and of a session: each costs a round trip."""
_NODES: Final = 50_000
"""As much is read as a graph of so many nodes is made from."""
_FOLDED_HERE: Final = 300
_INCOMPLETE: Final = ("trimmed", "expired", "limit_reached")


class _Known(NamedTuple):
    lineage: RunLineage
    missing: list[str]


class LineageService:
    """Reads one tenant's runs from a log, which must be open. Any number of these may read the same log.

    All that serve graphs and lineage in a process share one `admission`. Every question raises
    `ExecutionNotFound` for a run of which nothing is recorded, `InvalidQuery`, `Busy` and `StoreError`.
    """

    def __init__(
        self,
        *,
        log: Log,
        topology: Topology | None = None,
        tenant: Tenant = DEFAULT_TENANT,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        clock: Clock | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._log = log
        self._tenant = tenant
        self._terminal = () if topology is None else tuple(topology.terminal_statuses)
        self._retention_micros = retention_seconds * 1_000_000
        self._clock = clock or SystemClock()
        self._admission = admission or Admission()

    @property
    def tenant(self) -> Tenant:
        """Whose runs it reads."""
        return self._tenant

    async def upstream(
        self, run_id: str, *, max_hops: int = DEFAULT_HOPS, kinds: Iterable[str] = (), causal: bool = True
    ) -> Upstream:
        """What a run came from, at most `max_hops` edges away."""
        wanted, hops = checked_kinds(kinds), _checked_hops(max_hops)
        known = await self._read(run_id, _ancestors, generations=hops)
        walk = walk_up(known.lineage.edges, run_id, max_hops=hops, kinds=wanted, causal=causal)
        return upstream_told(walk, known.lineage, known.missing)

    async def downstream(
        self,
        run_id: str,
        *,
        max_hops: int = DEFAULT_HOPS,
        kinds: Iterable[str] = (),
        causal: bool = True,
        view: LineageView = PLAIN_VIEW,
    ) -> Downstream:
        """What came of a run, at most `max_hops` edges away, with sums over the edges found."""
        wanted, hops = checked_kinds(kinds), _checked_hops(max_hops)
        graph, missing = await self._below(run_id, hops, wanted, causal=causal)
        return downstream_told(graph, missing, view)

    async def why(self, run_id: str) -> Births:
        """The births from a run back to its origin."""
        known = await self._read(run_id, _ancestors, generations=_GENERATIONS)
        return births_told(run_id, birth_chain(known.lineage.edges, run_id), known.lineage, known.missing)

    async def session(
        self,
        run_id: str,
        *,
        kinds: Iterable[str] = (),
        at: Moment | None = None,
        view: LineageView = PLAIN_VIEW,
    ) -> Session:
        """The session of a run, as it is or as it was at a time: a session has the id of its first run."""
        wanted, as_of = checked_kinds(kinds), checked_question(run_id, at=at).at
        known = await self._read(run_id, _relatives, generations=_GENERATIONS, at=as_of)
        run = known.lineage.runs.get(run_id)  # none before it began
        session_id = run_id if run is None else run.session_id
        graph = session_graph(known.lineage, session_id, kinds=wanted, at=as_of)
        return session_told(session_id, graph, known.missing, view)

    async def diff(self, a: str, b: str) -> RunsCompared:
        """What came of one run beside what came of the other."""
        of_a, missing_a = await self._below(a, MAX_HOPS, ())
        of_b, missing_b = await self._below(b, MAX_HOPS, ())
        return compared_told(diff_runs(of_a, of_b), sorted({*missing_a, *missing_b}))

    async def _below(
        self, run_id: str, max_hops: int, kinds: Collection[RunEdgeKind], *, causal: bool = True
    ) -> tuple[DownstreamGraph, list[str]]:
        known = await self._read(run_id, _descendants, generations=max_hops)
        graph = downstream_graph(known.lineage, run_id, max_hops=max_hops, kinds=kinds, causal=causal)
        return graph, known.missing

    async def _read(
        self, run_id: str, relatives: Relatives, *, generations: int, at: Instant | None = None
    ) -> _Known:
        task_id = checked_question(run_id).task_id
        query = GraphQuery(at=at, terminal_statuses=self._terminal)
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
            history = await reader.read(task_id, depth=generations)
            if len(history.items) <= _FOLDED_HERE:
                lineage = _fold(task_id, history, query)
            else:
                lineage = await anyio.to_thread.run_sync(_fold, task_id, history, query)
        facts = (item.name for item in history.items if isinstance(item, StreamFact))
        return _Known(lineage, sorted({name for name in facts if name in _INCOMPLETE}))


def checked_kinds(kinds: Iterable[str]) -> tuple[RunEdgeKind, ...]:
    """These kinds of edges. Raises `InvalidQuery` for a name that is none."""
    known = {kind: kind for kind in EDGE_KINDS}
    found: list[RunEdgeKind] = []
    for name in kinds:
        if name not in known:
            raise InvalidQuery("kinds", f"{name[:80]!r} is none of {', '.join(get_args(RunEdgeKind))}")
        found.append(known[name])
    return tuple(found)


def _checked_hops(max_hops: int) -> int:
    if not 1 <= max_hops <= MAX_HOPS:
        raise InvalidQuery("max_hops", f"{max_hops} is not between 1 and {MAX_HOPS}")
    return max_hops


def _fold(root: TaskId, history: FamilyHistory, query: GraphQuery) -> RunLineage:
    state = RUN_LINEAGE.initial(root)
    for item in history.items:
        RUN_LINEAGE.apply(state, item)
    lineage = RUN_LINEAGE.finish(state, query)
    lineage.runs.setdefault(root, Run(run_id=root, session_id=root))
    return lineage


def _ancestors(reading: StreamReading) -> set[TaskId]:
    """Whom the stream names as what its task came from."""
    found: set[TaskId] = set()
    for event in reading.events:
        if (parent := parent_told_by(event)) is not None:
            found.add(parent)
        if isinstance(event.body, RunEdgeRecorded) and event.body.source_run:
            found.add(event.body.source_run)
    return found


def _descendants(reading: StreamReading) -> set[TaskId]:
    """Whom the stream names as what came of its task."""
    bodies = (event.body for event in reading.events)
    return reading.children | {body.target_run for body in bodies if isinstance(body, RunEdgeRecorded)}


def _relatives(reading: StreamReading) -> set[TaskId]:
    return _ancestors(reading) | _descendants(reading)
