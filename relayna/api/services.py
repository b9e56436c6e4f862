"""What answers the callers of one tenant, made from what a process has one of.

Owns the making. What is asked of services, and by whom, is in the modules of the endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import Struct

from relayna.clock import Clock
from relayna.ids import Tenant
from relayna.observability.admission import Admission
from relayna.observability.dead_letter_replayer import DeadLetterKeeper
from relayna.observability.dead_letter_store import DLQStore
from relayna.observability.graph_cache import GraphCache
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.lineage_gathering import Recorded
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_watch import LineageWatch
from relayna.observability.live import LiveHub
from relayna.observability.message_service import MessageLineageService
from relayna.observability.metrics import GraphReports, PrometheusMeasures
from relayna.observability.read_models import (
    ExecutionLists,
    Indexer,
    ReadModelProgress,
    StatisticsService,
    read_models_beside,
    run_records_beside,
)
from relayna.observability.reliability_service import ReliabilityService
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.observability.run_records.retention import RunRetention
from relayna.observability.task_histories import TaskHistories
from relayna.observability.trace.trace_service import TraceService
from relayna.signals import Counters
from relayna.streams import Log, MemoryLog
from relayna.streams.read_models import ReadModels
from relayna.streams.redis import RedisLog
from relayna.streams.run_records import RunRecords
from relayna.topologies import Topology

__all__ = [
    "KeeperMaker",
    "ListParts",
    "ProcessParts",
    "TenantServices",
    "make_indexer",
    "make_lineage_watch",
    "make_list_parts",
    "make_live_hub",
    "make_services",
]

_SECONDS_TO_SETTLE: Final = 10.0

KeeperMaker: TypeAlias = Callable[[DLQStore], DeadLetterKeeper]
"""Who keeps the dead letters of this store; with a broker it can send them again."""


class ListParts(Struct, frozen=True):
    """What lists, statistics and lineage are read from, and how far behind it is."""

    read_models: ReadModels
    progress: ReadModelProgress
    run_records: RunRecords | None
    """None for a log beside which there are none."""
    counters: Counters


class ProcessParts(Struct, frozen=True, kw_only=True):
    """What there is one of in a process. Times are in seconds."""

    log: Log
    topology: Topology | None
    retention_seconds: int
    open_retention_seconds: int
    run_retention: RunRetention
    clock: Clock
    admission: Admission
    reports: GraphReports
    graph_cache: GraphCache
    lists: ListParts | None
    """None for a log beside which there are no read models."""
    keeper: KeeperMaker

    @property
    def kept_seconds(self) -> int:
        """How long anything is kept at the longest."""
        return max(self.retention_seconds, self.open_retention_seconds)


class TenantServices(Struct, frozen=True, kw_only=True):
    """All that answers for one tenant."""

    graphs: ExecutionGraphService
    histories: TaskHistories
    lineage: LineageService
    traces: TraceService
    messages: MessageLineageService
    dead_letters: DeadLetterKeeper
    lists: ExecutionLists | None
    statistics: StatisticsService | None
    reliability: ReliabilityService | None


def make_list_parts(log: Log, clock: Clock, counters: Counters) -> ListParts | None:
    """None for a log beside which there are no read models. Connects to nothing."""
    if not isinstance(log, MemoryLog | RedisLog):
        return None
    read_models = read_models_beside(log, clock=clock)
    progress = ReadModelProgress(log=log, read_models=read_models, clock=clock)
    run_records = run_records_beside(log, read_models, counters=counters)
    return ListParts(read_models, progress, run_records, counters)


def make_indexer(parts: ProcessParts, lists: ListParts, counters: Counters) -> Indexer:
    """Who keeps these lists up."""
    return Indexer(
        log=parts.log,
        read_models=lists.read_models,
        topology=parts.topology,
        run_retention=parts.run_retention,
        counters=counters,
        clock=parts.clock,
    )


def make_lineage_watch(
    parts: ProcessParts, tenant: Tenant, measures: PrometheusMeasures
) -> LineageWatch | None:
    """Who watches over the births of this tenant's runs; None where there are no records of runs."""
    if parts.lists is None or parts.lists.run_records is None:
        return None
    return LineageWatch(
        parts.lists.run_records,
        tenants=[tenant],
        measures=measures,
        settled_seconds=_SECONDS_TO_SETTLE,
        clock=parts.clock,
    )


def make_live_hub(parts: ProcessParts, counters: Counters) -> LiveHub:
    """Who lets callers of all tenants follow along."""
    terminal = () if parts.topology is None else parts.topology.terminal_statuses
    return LiveHub(parts.log, terminal_statuses=terminal, counters=counters)


def make_services(parts: ProcessParts, tenant: Tenant) -> TenantServices:
    """Connects to nothing."""
    lists = statistics = None
    if parts.lists is not None:
        read_models, progress = parts.lists.read_models, parts.lists.progress
        lists = ExecutionLists(read_models=read_models, progress=progress, tenant=tenant)
        statistics = StatisticsService(
            read_models=read_models,
            progress=progress,
            tenant=tenant,
            kept_seconds=parts.kept_seconds,
            clock=parts.clock,
        )
    return TenantServices(
        graphs=_make_graphs(parts, tenant),
        histories=TaskHistories(
            log=parts.log,
            tenant=tenant,
            retention_seconds=parts.retention_seconds,
            clock=parts.clock,
            admission=parts.admission,
        ),
        lineage=_make_lineage(parts, tenant),
        traces=_make_traces(parts, tenant),
        messages=_make_messages(parts, tenant, lists),
        dead_letters=parts.keeper(
            DLQStore(parts.log, tenant=tenant, clock=parts.clock, ttl_seconds=parts.kept_seconds)
        ),
        lists=lists,
        statistics=statistics,
        reliability=_make_reliability(parts, tenant),
    )


def _known_runs(parts: ProcessParts, tenant: Tenant) -> KnownRuns | None:
    if parts.lists is None or parts.lists.run_records is None:
        return None
    return KnownRuns(parts.lists.run_records, tenant=tenant, counters=parts.lists.counters)


def _make_graphs(parts: ProcessParts, tenant: Tenant) -> ExecutionGraphService:
    return ExecutionGraphService(
        log=parts.log,
        topology=parts.topology,
        tenant=tenant,
        retention_seconds=parts.retention_seconds,
        clock=parts.clock,
        admission=parts.admission,
        reports=parts.reports,
        cache=parts.graph_cache,
    )


def _make_lineage(parts: ProcessParts, tenant: Tenant) -> LineageService:
    known, lists = _known_runs(parts, tenant), parts.lists
    recorded = None if known is None or lists is None else Recorded(known, lists.progress)
    return LineageService(
        log=parts.log,
        topology=parts.topology,
        tenant=tenant,
        retention_seconds=parts.retention_seconds,
        clock=parts.clock,
        admission=parts.admission,
        recorded=recorded,
    )


def _make_reliability(parts: ProcessParts, tenant: Tenant) -> ReliabilityService | None:
    if parts.lists is None or parts.lists.run_records is None:
        return None
    records = parts.lists.run_records
    return ReliabilityService(records=records, tenant=tenant, clock=parts.clock, admission=parts.admission)


def _make_traces(parts: ProcessParts, tenant: Tenant) -> TraceService:
    return TraceService(
        log=parts.log,
        tenant=tenant,
        runs=_known_runs(parts, tenant),
        retention_seconds=parts.retention_seconds,
        clock=parts.clock,
        admission=parts.admission,
    )


def _make_messages(
    parts: ProcessParts, tenant: Tenant, lists: ExecutionLists | None
) -> MessageLineageService:
    return MessageLineageService(
        log=parts.log,
        tenant=tenant,
        runs=_known_runs(parts, tenant),
        lists=lists,
        retention_seconds=parts.retention_seconds,
        clock=parts.clock,
        admission=parts.admission,
    )
