"""Answers `GET /executions/{task_id}/graph`: reads the streams of a task and its children, folds, returns.

Owns how a question becomes an answer with a version, and whether a version is still the answer. What is read
`family_reading.py` knows; the projection judges.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final, Protocol

import anyio.to_thread

from relayna.clock import Clock, SystemClock
from relayna.errors import InvalidQuery, InvalidSetting
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.admission import Admission, Turn
from relayna.observability.family_history import FamilyHistory
from relayna.observability.family_reading import FamilyReader, Positions
from relayna.observability.graph_answer import GraphTerms, is_whole
from relayna.observability.graph_cache import GraphCache
from relayna.observability.graph_question import (
    DEFAULT_VIEW,
    MAX_DEPTH,
    GraphQuestion,
    Moment,
    checked_question,
)
from relayna.observability.graph_version import (
    VersionedGraph,
    make_version,
    parse_version,
    position_of,
    question_digest,
    task_digest,
)
from relayna.observability.known_versions import KnownVersion, KnownVersions, by_task
from relayna.observability.left_out import bounds_for
from relayna.observability.shared_work import SharedWork
from relayna.observability.stores import StreamView
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.graph import ExecutionGraph
from relayna.streams import DEFAULT_TENANT, Log, TaskAddress
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.topologies import Topology, topology_kind

__all__ = ["MAX_DEPTH", "ExecutionGraphService", "GraphsBuilt", "VersionedGraph"]

_TASKS_READ: Final = 10_000
_FOLDED_HERE: Final = 300
"""Items; more are folded in a thread, so that whoever else is in this event loop has their turn."""
_FOLDED_FREELY: Final = 1_000
"""Items; more wait for their turn."""
_STATES_AT_ONCE: Final = 500


class GraphsBuilt(Protocol):
    """Whoever wants to know of graphs that were built; `relayna.observability.metrics.GraphReports` is one."""

    def built(self, graph: ExecutionGraph, seconds: float, *, whole: bool) -> None:
        """One was, in so many seconds; `whole` when nothing was taken out of it. Must be quick."""


class ExecutionGraphService:
    """Builds execution graphs from a log. Any number of them may read the same log.

    The log must be open (`async with log`). With `topology`, graphs say that kind whatever the records say.
    All services of a process share one `admission`, and those of one log a `cache`, without which nothing is kept;
    `reports` is told of each graph that is built. Raises `InvalidSetting` for a store in place of its log.
    """

    def __init__(
        self,
        *,
        log: Log,
        topology: Topology | None = None,
        tenant: Tenant = DEFAULT_TENANT,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        max_tasks: int = _TASKS_READ,
        clock: Clock | None = None,
        admission: Admission | None = None,
        reports: GraphsBuilt | None = None,
        cache: GraphCache | None = None,
    ) -> None:
        if isinstance(log, StreamView):
            raise InvalidSetting(
                "log", "argument", f"a {type(log).__name__} is a view of one; pass store.log"
            )
        self._log = log
        self._terms = GraphTerms(
            tenant=tenant,
            configured_kind=None if topology is None else topology_kind(topology),
            terminal_statuses=() if topology is None else topology.terminal_statuses,
            retention_micros=retention_seconds * 1_000_000,
            max_tasks=max_tasks,
        )
        self._tenant = tenant
        self._clock = clock or SystemClock()
        self._admission = admission or Admission()
        self._reports = reports
        self._cache = cache
        self._known = KnownVersions()
        self._work: SharedWork[VersionedGraph] = SharedWork()

    async def get_graph(
        self,
        task_id: str,
        *,
        at: Moment | None = None,
        as_of: Moment | None = None,
        depth: int = DEFAULT_DEPTH,
        max_nodes: int | None = None,
        view: str = DEFAULT_VIEW,
        collapse: Iterable[str] = (),
    ) -> ExecutionGraph:
        """The graph of a task, with `depth` generations of children, as it was `at` that time.

        With `as_of`, only what was known then: an instant, or the version of an earlier answer. At most
        `max_nodes` nodes are drawn, and reading is bounded by it; an answer that is cut says `truncated`
        and how to go on. `view` and `collapse` as for `relayna.projections.graph_view.shown`. Raises
        `ExecutionNotFound`, `InvalidQuery`, `Busy`, `StoreUnreachable` and `StoreRefused`.
        """
        question = checked_question(
            task_id, at=at, as_of=as_of, depth=depth, max_nodes=max_nodes, view=view, collapse=collapse
        )
        return (await self._shared(question, None)).graph  # nothing kept, for it is the caller's to change

    async def get_versioned(
        self,
        task_id: str,
        *,
        at: Moment | None = None,
        as_of: Moment | None = None,
        depth: int = DEFAULT_DEPTH,
        max_nodes: int | None = None,
        view: str = DEFAULT_VIEW,
        collapse: Iterable[str] = (),
    ) -> VersionedGraph:
        """The graph as `get_graph` gives it, with its version and the streams that it was read from.

        Whoever asks the same at the same time gets the same object: change nothing in it.
        """
        question = checked_question(
            task_id, at=at, as_of=as_of, depth=depth, max_nodes=max_nodes, view=view, collapse=collapse
        )

        return await self._shared(question, self._cache)

    async def is_current(
        self,
        version: str,
        task_id: str,
        *,
        at: Moment | None = None,
        as_of: Moment | None = None,
        depth: int = DEFAULT_DEPTH,
        max_nodes: int | None = None,
        view: str = DEFAULT_VIEW,
        collapse: Iterable[str] = (),
    ) -> bool:
        """Whether the same question would be answered with this version now.

        Looks at the ends of the streams only. False also when nobody knows: for any other text, and for
        a version of many streams that this process does not remember. Raises as `get_graph` does.
        """
        question = checked_question(
            task_id, at=at, as_of=as_of, depth=depth, max_nodes=max_nodes, view=view, collapse=collapse
        )
        return await self._is_current(version, question)

    async def _shared(self, question: GraphQuestion, cache: GraphCache | None) -> VersionedGraph:
        async def still_true(answer: VersionedGraph) -> bool:
            return await self._is_current(answer.version, question)

        work = partial(self._answer, question, cache)
        return await self._work.do((question, cache is None), work, still_true=still_true)

    async def _is_current(self, token: str, question: GraphQuestion) -> bool:
        known = self._known.find(token) or self._told_by(token, question)
        if known is None or known.question != question:
            return False
        positions, changes_at = known.positions, known.changes_at
        if changes_at is not None and changes_at <= self._clock.now():
            return False
        for start in range(0, len(positions), _STATES_AT_ONCE):
            looked_at = positions[start : start + _STATES_AT_ONCE]
            states = await self._log.states([position.address for position in looked_at])
            now = [
                position_of(position.address, state)
                for position, state in zip(looked_at, states, strict=True)
            ]
            if now != [*looked_at]:
                return False
        self._known.remember(token, known)
        return True

    def _told_by(self, token: str, question: GraphQuestion) -> KnownVersion | None:
        """What a token says that another process made, if it is of an answer to this question."""
        version = parse_version(token)
        if version is None or version.question != self._digest(question):
            return None
        positions = self._known.positions(token, version, root=question.task_id, tenant=self._tenant)
        return None if positions is None else KnownVersion(question, positions, version.changes_at)

    def _remember(self, token: str, question: GraphQuestion, history: FamilyHistory) -> None:
        self._known.remember(token, KnownVersion(question, tuple(history.positions), history.changes_at))

    async def _answer(self, question: GraphQuestion, cache: GraphCache | None) -> VersionedGraph:
        key = (self._terms, question)
        if cache is not None and question.is_of_now:
            cut = cache.cut_answer(key)
            if cut is not None and await cut.holds(self._log, self._clock.now()):
                cache.count_answered()
                return cut.answer
        with self._admission.turn() as turn:
            began = self._clock.now()
            history = await self._read(question, turn, cache)
            if cache is not None and (kept := cache.answer(key, history)) is not None:
                self._remember(kept.version, question, history)
                return kept
            answer = await self._fold(question, history, turn, began)
        if cache is not None:
            cache.keep(key, history, answer)
        return answer

    async def _fold(
        self, question: GraphQuestion, history: FamilyHistory, turn: Turn, began: Instant
    ) -> VersionedGraph:
        if len(history.items) <= _FOLDED_HERE:
            graph = self._terms.fold(question, history)
        else:
            if len(history.items) > _FOLDED_FREELY:
                await turn.take()
            graph = await anyio.to_thread.run_sync(self._terms.fold, question, history)
        version = make_version(self._digest(question), history.positions, changes_at=history.changes_at)
        self._remember(version, question, history)
        if self._reports is not None:
            seconds = max(0, self._clock.now() - began) / 1_000_000
            self._reports.built(graph, seconds, whole=is_whole(question, graph))
        return VersionedGraph(
            version=version,
            graph=graph,
            streams=tuple((position.address, position.last_id) for position in history.positions),
        )

    def _digest(self, question: GraphQuestion) -> bytes:
        return question_digest(self._terms.asked(question))

    async def _read(self, question: GraphQuestion, turn: Turn, cache: GraphCache | None) -> FamilyHistory:
        history = await self._reader(question, turn, cache).read(question.task_id, depth=question.depth)
        if history.goes_on and history.is_cut:  # what else would be left out nobody knows
            return await self._reader(question, turn, None).read(question.task_id, depth=question.depth)
        return history

    def _reader(self, question: GraphQuestion, turn: Turn, cache: GraphCache | None) -> FamilyReader:
        return FamilyReader(
            self._log,
            tenant=self._tenant,
            bounds=bounds_for(question.max_nodes, max_tasks=self._terms.max_tasks),
            now=self._clock.now(),
            retention_micros=self._terms.retention_micros,
            before_much=turn.take,
            known_by=question.as_of,
            positions=self._as_of_positions(question),
            kept=None if cache is None else cache.stream,
        )

    def _as_of_positions(self, question: GraphQuestion) -> Positions | None:
        token = question.as_of_version
        version = None if token is None else parse_version(token)
        if token is None or version is None:
            return None
        if version.task != task_digest(TaskAddress(question.task_id, self._tenant)):
            problem = f"this version is not of {question.task_id!r}; use one of an answer about it"
            raise InvalidQuery("as_of", problem)
        positions = self._known.positions(token, version, root=question.task_id, tenant=self._tenant)
        if positions is None:
            problem = (
                "this version was made from many streams, and which is not known any more; ask for an instant"
            )
            raise InvalidQuery("as_of", problem)
        return by_task(positions)
