"""Answers `GET /executions/{task_id}/graph`: reads the streams of a task and its children, folds, returns.

Owns which streams are read and how many. Judges nothing: the projection does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.errors import ExecutionNotFound, InvalidQuery, InvalidSetting, StoreRefused
from relayna.events import RecordedEvent
from relayna.events.history import StreamFact
from relayna.events.lineage import ChildFinished
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant, parse_instant
from relayna.observability.stores import StreamView
from relayna.projections.execution import DEFAULT_DEPTH, GraphQuery
from relayna.projections.family import referenced_children
from relayna.projections.graph import ExecutionGraph
from relayna.projections.projection import Item
from relayna.projections.registry import execution_projection_for
from relayna.streams import DEFAULT_TENANT, Log, Replay, TaskAddress, checked_task_id, replay
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.topologies import Topology, topology_kind

__all__ = ["MAX_DEPTH", "ExecutionGraphService"]

MAX_DEPTH: Final = 50
_TASKS_READ: Final = 10_000
_READ_AT_ONCE: Final = 500


class _Unread(Struct, frozen=True):
    """A child whose stream was not read: the graph would be too large, or the store refused."""

    task_id: TaskId


class ExecutionGraphService:
    """Builds execution graphs from a log. Stateless: any number of them may read the same log.

    The log must be open (`async with log`). With `topology`, graphs say that kind whatever the records say.
    Raises `InvalidSetting` for a store in place of its log.
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
    ) -> None:
        if isinstance(log, StreamView):
            raise InvalidSetting(
                "log", "argument", f"a {type(log).__name__} is a view of one; pass store.log"
            )
        self._log = log
        self._configured_kind = topology_kind(topology) if topology is not None else None
        self._terminal_statuses = () if topology is None else topology.terminal_statuses
        self._tenant = tenant
        self._retention_micros = retention_seconds * 1_000_000
        self._max_tasks = max_tasks
        self._clock = clock or SystemClock()

    async def get_graph(
        self,
        task_id: str,
        *,
        at: datetime | str | int | None = None,
        depth: int = DEFAULT_DEPTH,
        max_nodes: int | None = None,
    ) -> ExecutionGraph:
        """The graph of a task, with `depth` generations of children, as it was `at` that time.

        At most `max_nodes` nodes are drawn; an answer that is cut says `truncated` and how to go on. Raises
        `ExecutionNotFound`, `InvalidQuery`, `StoreUnreachable` and `StoreRefused`.
        """
        query = _checked_query(at, depth, max_nodes, self._terminal_statuses)
        # Our producers refuse an empty id; others may have recorded under one.
        root = TaskId("") if task_id == "" else checked_task_id(task_id)
        items, kinds = await self._history(root, query.depth)
        projection = execution_projection_for(kinds, configured=self._configured_kind)
        state = projection.initial(root)
        for item in items:
            projection.apply(state, item)
        return projection.finish(state, query)

    async def _history(self, root: TaskId, depth: int) -> tuple[list[Item], list[str]]:
        """Everything that is stored of the root and its descendants, a generation at a time."""
        items: list[Item] = []
        kinds: list[str] = []
        seen = {root}
        generation = [root]
        ended: dict[TaskId, Instant] = {}
        for level in range(depth + 1):
            children: dict[TaskId, None] = {}
            for read in await self._read(generation):
                if isinstance(read, _Unread):
                    items.append(StreamFact(task_id=read.task_id, name="limit_reached"))
                    continue
                task_id = read.address.task_id
                if task_id == root:
                    if not read.events:
                        raise ExecutionNotFound(root)
                    kinds = [fact.value or "" for fact in read.facts if fact.name == "topology_kind"]
                items += read.events
                items += read.facts
                if not read.events and self._has_expired(ended.get(task_id)):
                    items.append(StreamFact(task_id=task_id, name="expired"))
                ended.update(_ended_children(read.events))
                children.update(dict.fromkeys(sorted(referenced_children(read.events))))
            generation = [child for child in children if child not in seen]
            seen.update(generation)
            if not generation or level == depth:
                break
            left = max(0, self._max_tasks - len(seen) + len(generation))
            items += (StreamFact(task_id=child, name="limit_reached") for child in generation[left:])
            generation = generation[:left]
        return items, kinds

    async def _read(self, task_ids: Sequence[TaskId]) -> list[Replay | _Unread]:
        found: list[Replay | _Unread] = []
        for start in range(0, len(task_ids), _READ_AT_ONCE):
            addresses = [
                TaskAddress(task_id, self._tenant) for task_id in task_ids[start : start + _READ_AT_ONCE]
            ]
            try:
                found += await replay(self._log, addresses)
            except StoreRefused:
                # One stream that is none must not take the others with it.
                found += [await self._read_alone(address, only=len(task_ids) == 1) for address in addresses]
        return found

    async def _read_alone(self, address: TaskAddress, *, only: bool) -> Replay | _Unread:
        try:
            return (await replay(self._log, [address]))[0]
        except StoreRefused:
            if only:
                raise
            return _Unread(address.task_id)

    def _has_expired(self, ended_at: Instant | None) -> bool:
        return ended_at is not None and ended_at + self._retention_micros < self._clock.now()


def _ended_children(events: Iterable[RecordedEvent]) -> dict[TaskId, Instant]:
    ended: dict[TaskId, Instant] = {}
    for event in events:
        if isinstance(event.body, ChildFinished):
            child = event.body.child_task_id
            ended[child] = max(ended.get(child, event.envelope.timestamp), event.envelope.timestamp)
    return ended


def _checked_query(
    at: datetime | str | int | None, depth: int, max_nodes: int | None, terminal: tuple[str, ...]
) -> GraphQuery:
    instant = None
    if at is not None:
        instant = parse_instant(at)
        if instant is None:
            raise InvalidQuery("at", f"{str(at)[:80]!r} is no time; use ISO 8601, as in 2026-01-31T10:00:05Z")
    if not 0 <= depth <= MAX_DEPTH:
        raise InvalidQuery("depth", f"{depth} is not between 0 and {MAX_DEPTH}")
    if max_nodes is not None and max_nodes < 1:
        raise InvalidQuery("max_nodes", f"{max_nodes} is less than 1")
    return GraphQuery(at=instant, depth=depth, max_nodes=max_nodes, terminal_statuses=terminal)
