"""Everything that answers from one log, made without connecting to it.

Owns what there is one of in a process, and that it is open while the runtime is entered. How a request becomes
an answer is in the modules of the endpoints.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from starlette.routing import Route

from relayna.api.access import Access
from relayna.api.aliases import HttpNames
from relayna.api.endpoint import Endpoint, routes_of
from relayna.api.executions import graph_endpoints
from relayna.api.health import health_endpoints, watching
from relayna.api.opening import open_log
from relayna.api.tenants import by_tenant
from relayna.clock import Clock, SystemClock
from relayna.ids import Tenant
from relayna.observability.checks import StoreHealth
from relayna.observability.dead_letter_store import DLQStore
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.stores import DEFAULT_HISTORY_MAXLEN, ObservationStore, StatusStore
from relayna.streams import DEFAULT_TENANT, Log, checked_tenant
from relayna.streams.log import DEFAULT_OPEN_RETENTION_SECONDS, DEFAULT_RETENTION_SECONDS
from relayna.topologies import ContractAliasConfig, Topology

__all__ = ["RelaynaRuntime"]


class RelaynaRuntime:
    """The services of one process over one log. Enter it (`async with runtime`) for as long as it is to answer.

    It also starts when the store does not answer: requests get 503 until it does. `tenant` is whose tasks
    callers see that have none of their own. With `topology`, graphs say its kind whatever the records say.
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
        clock: Clock | None = None,
    ) -> None:
        """Connects to nothing yet. Times are in seconds. Raises `InvalidSetting`."""
        self.log = log
        self.tenant = checked_tenant(tenant)
        self._topology = topology
        self._retention_seconds = retention_seconds
        self._clock = clock or SystemClock()
        self._graphs = by_tenant(self._graph_service, default=self.tenant)
        self.execution_graph_service = self._graph_service(self.tenant)
        self.observation_store = ObservationStore(
            log,
            tenant=self.tenant,
            ttl_seconds=observation_ttl_seconds,
            history_maxlen=observation_history_maxlen,
            clock=self._clock,
        )
        self.status_store = StatusStore(log, tenant=self.tenant, clock=self._clock)
        self.dlq_store = DLQStore(log, tenant=self.tenant, clock=self._clock)
        self.health = StoreHealth(
            log,
            retention_seconds=retention_seconds,
            open_retention_seconds=open_retention_seconds,
            clock=self._clock,
        )
        self._entered: AsyncExitStack | None = None

    def endpoints(self, aliases: ContractAliasConfig | None = None) -> tuple[Endpoint, ...]:
        """All there are, in the order in which paths are matched. Raises `InvalidSetting` for aliases."""
        names = HttpNames(aliases)
        return (*health_endpoints(self.health), *graph_endpoints(self._graphs, names))

    def routes(
        self, *, aliases: ContractAliasConfig | None = None, access: Access | None = None
    ) -> list[Route]:
        """The routes of all endpoints, for an app of ours or of a host."""
        return routes_of(self.endpoints(aliases), access)

    async def __aenter__(self) -> Self:
        """Open the log, now or as soon as the store answers. Raises what else opening it raises."""
        async with AsyncExitStack() as entering:
            await entering.enter_async_context(open_log(self.log))
            await entering.enter_async_context(watching(self.health))
            self._entered = entering.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it again."""
        if self._entered is not None:
            entered, self._entered = self._entered, None
            await entered.__aexit__(kind, error, traceback)

    def _graph_service(self, tenant: Tenant) -> ExecutionGraphService:
        return ExecutionGraphService(
            log=self.log,
            topology=self._topology,
            tenant=tenant,
            retention_seconds=self._retention_seconds,
            clock=self._clock,
        )
