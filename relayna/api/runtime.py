"""Everything that answers from one log, made without connecting to it.

Owns what there is one of in a process, and that it is open while the runtime is entered. How a request becomes
an answer is in the modules of the endpoints.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Final, Self

import anyio
from starlette.routing import BaseRoute

from relayna.api.access import ANYBODY, Access
from relayna.api.agents import agent_endpoints
from relayna.api.aliases import HttpNames
from relayna.api.caller import Caller
from relayna.api.dead_letters import dead_letter_endpoints
from relayna.api.endpoint import Endpoint, routes_of
from relayna.api.executions import graph_endpoints
from relayna.api.health import health_endpoints, watching
from relayna.api.histories import history_endpoints
from relayna.api.lineage import lineage_endpoints
from relayna.api.lineage_live import lineage_live_endpoints, lineage_socket_endpoints
from relayna.api.lists import list_endpoints
from relayna.api.live import live_endpoints
from relayna.api.messages import message_endpoints
from relayna.api.metrics import metrics_endpoint
from relayna.api.openapi import openapi_endpoint
from relayna.api.opening import open_log
from relayna.api.services import (
    KeeperMaker,
    ProcessParts,
    TenantServices,
    make_indexer,
    make_lineage_watch,
    make_list_parts,
    make_live_hub,
    make_services,
)
from relayna.api.socket_endpoint import socket_routes_of
from relayna.api.statistics import statistics_endpoints
from relayna.api.tenants import by_tenant
from relayna.api.traces import trace_endpoints
from relayna.api.why import why_endpoints
from relayna.clock import Clock, SystemClock
from relayna.ids import Tenant
from relayna.observability.admission import Admission
from relayna.observability.checks import StoreHealth
from relayna.observability.dead_letter_replayer import DeadLetterKeeper
from relayna.observability.dead_letter_service import DLQService
from relayna.observability.dead_letter_store import DLQStore
from relayna.observability.graph_cache import DEFAULT_CACHE_ITEMS, GraphCache
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.lineage_watch import LineageWatch
from relayna.observability.metrics import GraphReports, PrometheusMeasures
from relayna.observability.run_records.retention import RunRetention
from relayna.observability.stores import DEFAULT_HISTORY_MAXLEN, ObservationStore, StatusStore
from relayna.signals import Counters
from relayna.streams import DEFAULT_TENANT, Log, checked_tenant
from relayna.streams.log import DEFAULT_OPEN_RETENTION_SECONDS, DEFAULT_RETENTION_SECONDS
from relayna.topologies import ContractAliasConfig, Topology

__all__ = ["RelaynaRuntime"]

_ASKED_MOST: Final = "execution_graph"


class RelaynaRuntime:
    """The services of one process over one log. Enter it (`async with runtime`) for as long as it is to answer.

    It also starts when the store does not answer: requests get 503 until it does. While it is entered it keeps
    lists and statistics up, sharing that work with all other processes on the same log.

    `tenant` is whose tasks callers see that have none of their own. With `topology`, graphs say its kind
    whatever the records say. `measures` are served on `/metrics`; `dead_letters` makes who keeps them, by
    default one without a broker, which can replay none. `run_retention` says how long runs and the edges between
    them are kept. `graph_cache_items` bounds what is kept in memory of graphs that were asked for lately, in events,
    nodes and edges of under 1 KB each; 0 keeps nothing. Times are in seconds.
    """

    def __init__(
        self,
        *,
        log: Log,
        tenant: str = DEFAULT_TENANT,
        topology: Topology | None = None,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        open_retention_seconds: int = DEFAULT_OPEN_RETENTION_SECONDS,
        observation_ttl_seconds: int = DEFAULT_RETENTION_SECONDS,
        observation_history_maxlen: int = DEFAULT_HISTORY_MAXLEN,
        run_retention: RunRetention | None = None,
        measures: PrometheusMeasures | None = None,
        dead_letters: KeeperMaker | None = None,
        graph_cache_items: int = DEFAULT_CACHE_ITEMS,
        clock: Clock | None = None,
    ) -> None:
        """Connects to nothing yet. Raises `InvalidSetting`."""
        self.log = log
        self.tenant = checked_tenant(tenant)
        self.measures = measures or PrometheusMeasures(clock=clock)
        clock, self._admission = clock or SystemClock(), Admission()
        self._parts = parts = ProcessParts(
            log=log, topology=topology, retention_seconds=retention_seconds, clock=clock,
            open_retention_seconds=open_retention_seconds, run_retention=run_retention or RunRetention(),
            admission=self._admission, reports=GraphReports(self.measures), lists=make_list_parts(log, clock, self.measures),
            graph_cache=GraphCache(most_items=graph_cache_items, counters=self.measures),
            keeper=dead_letters or partial(_keeper_without_broker, counters=self.measures),
        )  # fmt: skip
        self._services = by_tenant(self._make_services, default=self.tenant)
        self.indexer = None if parts.lists is None else make_indexer(parts, parts.lists, self.measures)
        """Keeps lists and statistics up while the runtime is entered; None where there are none."""
        self.live = make_live_hub(parts, self.measures)
        self.health = StoreHealth(
            log, retention_seconds=retention_seconds, open_retention_seconds=open_retention_seconds,
            clock=clock, counters=self.measures,
        )  # fmt: skip
        self.observation_store = ObservationStore(
            log, tenant=self.tenant, ttl_seconds=observation_ttl_seconds, history_maxlen=observation_history_maxlen,
            clock=clock)  # fmt: skip
        self._entered: AsyncExitStack | None = None

    @property
    def services(self) -> TenantServices:
        """What answers callers that have no tenant of their own."""
        return self._services(ANYBODY)

    def services_of(self, caller: Caller) -> TenantServices:
        """What answers this caller: of their own tenant, where they have one."""
        return self._services(caller)

    @property
    def execution_graph_service(self) -> ExecutionGraphService:
        """The graphs of this runtime's tenant."""
        return self.services.graphs

    @cached_property
    def lineage_watch(self) -> LineageWatch | None:
        """Watches over the births of runs while the runtime is entered, and lineage is on; None without records."""
        return make_lineage_watch(self._parts, self.tenant, self.measures)

    @cached_property
    def status_store(self) -> StatusStore:
        """The statuses of this runtime's tenant."""
        return StatusStore(self.log, tenant=self.tenant, clock=self.observation_store.clock)

    @cached_property
    def dlq_store(self) -> DLQStore:
        """The dead letters of this runtime's tenant."""
        return DLQStore(self.log, tenant=self.tenant, clock=self.observation_store.clock)

    def endpoints(self, aliases: ContractAliasConfig | None = None) -> tuple[Endpoint, ...]:
        """All there are, in the order in which paths are matched. Raises `InvalidSetting` for aliases."""
        names = HttpNames(aliases)
        graphs, histories = self._of("graphs"), self._of("histories")
        table = names.check(
            (
                *health_endpoints(self.health),
                metrics_endpoint(self.measures.registry),
                *self._list_endpoints(names),
                *graph_endpoints(graphs, names),
                *history_endpoints(histories, graphs, names),
                *why_endpoints(graphs, names),
                *self._agent_endpoints(),
                *lineage_endpoints(self._of("lineage"), names),
                *lineage_live_endpoints(self._of("lineage"), self.live),
                *trace_endpoints(self._of("traces"), names),
                *message_endpoints(self._of("messages"), names),
                *live_endpoints(graphs, self.live, names),
                *dead_letter_endpoints(self._of("dead_letters"), names, self._admission),
            )
        )
        return (*table, openapi_endpoint(table, names))

    def routes(
        self,
        *,
        aliases: ContractAliasConfig | None = None,
        access: Access | None = None,
        allow_writes: bool = False,
    ) -> list[BaseRoute]:
        """The routes of all endpoints, over HTTP and WebSocket, for an app of ours or of a host."""
        sockets = lineage_socket_endpoints(self._of("lineage"), self.live)
        over_http = routes_of(self.endpoints(aliases), access, allow_writes=allow_writes)
        # Routes are tried one after the other, and graphs are asked for most; no other path is like theirs.
        over_http.sort(key=lambda route: not route.name.startswith(_ASKED_MOST))
        return [*over_http, *socket_routes_of(sockets, access)]

    async def __aenter__(self) -> Self:
        """Open the log, now or as soon as the store answers. Raises what else opening it raises."""
        async with AsyncExitStack() as entering:
            await entering.enter_async_context(open_log(self.log))
            await entering.enter_async_context(watching(self.health))
            if self.indexer is not None:
                await entering.enter_async_context(_running(self.indexer.run))
            if self.lineage_watch is not None:
                await entering.enter_async_context(_running(self.lineage_watch.run))
            await entering.enter_async_context(self.live)
            self._entered = entering.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it again."""
        if self._entered is not None:
            entered, self._entered = self._entered, None
            await entered.__aexit__(kind, error, traceback)

    def _list_endpoints(self, names: HttpNames) -> tuple[Endpoint, ...]:
        if self.indexer is None:
            return ()
        return (
            *list_endpoints(self._of("lists"), names),
            *statistics_endpoints(self._of("statistics")),
        )

    def _make_services(self, tenant: Tenant) -> TenantServices:
        if self.lineage_watch is not None:
            self.lineage_watch.include(tenant)
        return make_services(self._parts, tenant)

    def _agent_endpoints(self) -> tuple[Endpoint, ...]:
        return () if self.lineage_watch is None else agent_endpoints(self._of("reliability"))

    def _of(
        self, name: str
    ) -> Callable[[Caller], Any]:  # Any: the service of that name, as endpoints type it
        return lambda caller: getattr(self._services(caller), name)


@asynccontextmanager
async def _running(
    work: Callable[[], Coroutine[Any, Any, None]],  # Any: as anyio starts it
) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        yield
        tasks.cancel_scope.cancel()


def _keeper_without_broker(store: DLQStore, *, counters: Counters) -> DeadLetterKeeper:
    return DLQService(store=store, counters=counters)
