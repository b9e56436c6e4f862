"""An app of the routes about one execution: its graph, history, timeline and status."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from relayna.api.access import Access
from relayna.api.aliases import HttpNames
from relayna.api.endpoint import Endpoint, routes_of
from relayna.api.executions import graph_endpoints
from relayna.api.histories import history_endpoints
from relayna.api.problems import answer_error
from relayna.api.tenants import OfCaller, same_for_all
from relayna.observability import ExecutionGraphService
from relayna.observability.task_histories import TaskHistories
from relayna.streams import Log
from relayna.topologies import ContractAliasConfig

__all__ = ["executions_app", "executions_app_of", "executions_endpoints"]


def executions_endpoints(
    graphs: OfCaller[ExecutionGraphService],
    histories: OfCaller[TaskHistories],
    aliases: ContractAliasConfig | None = None,
) -> tuple[Endpoint, ...]:
    """The endpoints, their names checked."""
    names = HttpNames(aliases)
    return names.check((*graph_endpoints(graphs, names), *history_endpoints(histories, graphs, names)))


def executions_app(
    log: Log, *, aliases: ContractAliasConfig | None = None, access: Access | None = None
) -> Starlette:
    """An app over one log, which it keeps open."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with log:
            yield

    graphs = same_for_all(ExecutionGraphService(log=log))
    endpoints = executions_endpoints(graphs, same_for_all(TaskHistories(log=log)), aliases)
    app = executions_app_of(endpoints, access)
    app.router.lifespan_context = lifespan
    return app


def executions_app_of(endpoints: tuple[Endpoint, ...], access: Access | None = None) -> Starlette:
    """An app of these endpoints, and nothing else."""
    app = Starlette(routes=routes_of(endpoints, access), exception_handlers={404: answer_error})
    app.router.redirect_slashes = False
    return app
