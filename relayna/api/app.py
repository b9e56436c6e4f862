"""The HTTP API as an app of its own, for `relayna serve` and any ASGI server.

Owns which routes there are and the app's lifespan. Answers nothing itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from relayna.api.executions import create_execution_router
from relayna.api.health import livez_route, readyz_route, watching
from relayna.api.lifespan import open_log
from relayna.api.problems import answer_error
from relayna.observability.checks import StoreHealth
from relayna.observability.graph_service import ExecutionGraphService
from relayna.streams import Log
from relayna.topologies import ContractAliasConfig

__all__ = ["create_app"]


def create_app(
    *,
    execution_graph_service: ExecutionGraphService,
    log: Log,
    aliases: ContractAliasConfig | None = None,
    health: StoreHealth | None = None,
) -> Starlette:
    """An app that answers for executions, says that it lives (`GET /livez`) and how its store is (`GET /readyz`).

    It keeps `log`, which the service reads, open while it is up. It also starts when the store does not
    answer: requests get 503 until it does. A server runs no lifespan of an app that is mounted into
    another: there, the host opens the log (`async with log`) in its own. `aliases` as for `create_execution_router`;
    `health` is what `/readyz` tells, by default that of the log's store.
    """
    health = health or StoreHealth(log)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_log(log), watching(health):
            yield

    router = create_execution_router(execution_graph_service=execution_graph_service, aliases=aliases)
    app = Starlette(
        routes=[livez_route(), readyz_route(health), *router.routes],
        exception_handlers={404: answer_error, 405: answer_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = router.redirect_slashes
    return app
