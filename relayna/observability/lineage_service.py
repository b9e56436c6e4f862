"""Answers how runs led to one another: up, down, why, a whole session, two runs beside each other.

Owns the questions, and whom a stream names as relatives: up, down or both. What is read is `lineage_reading.py`'s, edges
and walks are the projection's (`relayna/projections/lineage`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar, get_args

from msgspec.structs import replace

from relayna.clock import Clock, SystemClock
from relayna.errors import InvalidQuery
from relayna.events import RunEdgeRecorded
from relayna.ids import TaskId, Tenant
from relayna.instants import format_instant
from relayna.observability.admission import Admission
from relayna.observability.graph_question import Moment, checked_question
from relayna.observability.lineage_gathering import ALL_GENERATIONS, Recorded, beside_the_loop
from relayna.observability.lineage_reading import KnownLineage, LineageReader
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
from relayna.projections.kinship import parent_told_by
from relayna.projections.lineage.diff import diff_runs
from relayna.projections.lineage.run_edges import EDGE_KINDS, RunEdgeKind, RunLineage
from relayna.projections.lineage.session_graph import downstream_graph, session_graph
from relayna.projections.lineage.walks import DEFAULT_HOPS, MAX_HOPS, birth_chain, walk_up
from relayna.streams import DEFAULT_TENANT, Log
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.topologies import Topology

__all__ = ["LineageService", "checked_kinds"]

MadeT = TypeVar("MadeT")
AnswerT = TypeVar("AnswerT", Upstream, Downstream, Births, Session, RunsCompared)


class LineageService:
    """Reads one tenant's runs from a log, which must be open, and from their records. Any number of these may.

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
        recorded: Recorded | None = None,
    ) -> None:
        """Without `recorded`, runs are known for as long as their streams."""
        self._tenant = tenant
        self._reader = LineageReader(
            log,
            tenant=tenant,
            recorded=recorded,
            retention_micros=retention_seconds * 1_000_000,
            terminal_statuses=() if topology is None else tuple(topology.terminal_statuses),
            clock=clock or SystemClock(),
            admission=admission or Admission(),
        )

    @property
    def tenant(self) -> Tenant:
        """Whose runs it reads."""
        return self._tenant

    async def upstream(
        self, run_id: str, *, max_hops: int = DEFAULT_HOPS, kinds: Iterable[str] = (), causal: bool = True
    ) -> Upstream:
        """What a run came from, at most `max_hops` edges away."""
        wanted, hops = checked_kinds(kinds), _checked_hops(max_hops)
        known = await self._up(run_id, hops)
        edges = known.lineage.edges

        def tell() -> Upstream:
            walk = walk_up(edges, run_id, max_hops=hops, kinds=wanted, causal=causal)
            return upstream_told(walk, known.lineage, known.missing)

        return _dated(await beside_the_loop(len(edges), tell), known)

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
        known = await self._down(run_id, hops)

        def tell() -> Downstream:
            graph = downstream_graph(known.lineage, run_id, max_hops=hops, kinds=wanted, causal=causal)
            return downstream_told(graph, known.missing, view)

        return _dated(await beside_the_loop(len(known.lineage.edges), tell), known)

    async def why(self, run_id: str) -> Births:
        """The births from a run back to its origin."""
        known = await self._up(run_id, ALL_GENERATIONS)
        chain = birth_chain(known.lineage.edges, run_id)
        return _dated(births_told(run_id, chain, known.lineage, known.missing), known)

    async def session(
        self,
        run_id: str,
        *,
        kinds: Iterable[str] = (),
        at: Moment | None = None,
        view: LineageView = PLAIN_VIEW,
    ) -> Session:
        """A session, by its id or by that of one of its runs, as it is or as it was at a time."""
        wanted, question = checked_kinds(kinds), checked_question(run_id, at=at)
        known = await self._reader.of_session(question.task_id, _relatives, at=question.at)

        def tell() -> Session:
            graph = session_graph(known.lineage, known.session_id, kinds=wanted, at=question.at)
            return session_told(known.session_id, graph, known.missing, view)

        return _dated(await beside_the_loop(len(known.lineage.edges), tell), known)

    async def diff(self, a: str, b: str) -> RunsCompared:
        """What came of one run beside what came of the other."""
        of_a = await self._down(a, MAX_HOPS)
        of_b = of_a if a == b else await self._down(b, MAX_HOPS)

        def tell() -> RunsCompared:
            graphs = (
                downstream_graph(known.lineage, run_id, max_hops=MAX_HOPS)
                for known, run_id in ((of_a, a), (of_b, b))
            )
            return compared_told(diff_runs(*graphs), sorted({*of_a.missing, *of_b.missing}))

        compared = await beside_the_loop(len(of_a.lineage.edges) + len(of_b.lineage.edges), tell)
        return _dated(compared, of_b if of_a.as_of is None else of_a)

    async def ask(
        self, run_id: str, make: Callable[[RunLineage], MadeT], *, of: Literal["ancestors", "descendants"]
    ) -> MadeT:
        """What a fold of one's own makes of a run and of all that led to it, or came of it."""
        known = await (self._up if of == "ancestors" else self._down)(run_id, ALL_GENERATIONS)
        return await beside_the_loop(len(known.lineage.edges), lambda: make(known.lineage))

    async def _up(self, run_id: str, generations: int) -> KnownLineage:
        task_id = checked_question(run_id).task_id
        return await self._reader.of_ancestors(task_id, _ancestors, generations=generations)

    async def _down(self, run_id: str, generations: int) -> KnownLineage:
        task_id = checked_question(run_id).task_id
        return await self._reader.of_descendants(task_id, _descendants, generations=generations)


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


def _dated(answer: AnswerT, known: KnownLineage) -> AnswerT:
    """The answer, with how far behind the records are that some of it is from."""
    if known.as_of is None:
        return answer
    as_of, lag_ms = known.as_of.as_of, known.as_of.lag_ms
    return replace(answer, as_of=None if as_of is None else format_instant(as_of), lag_ms=lag_ms)


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
