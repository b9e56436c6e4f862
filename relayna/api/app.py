"""The HTTP API as an app of its own, for `relayna serve` and any ASGI server.

Owns the app's lifespan, and what is answered where no route is. Answers nothing itself.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware

from relayna.api.access import Access
from relayna.api.lifespan import RelaynaLifespan
from relayna.api.limits import RequestLimits
from relayna.api.problems import answer_error
from relayna.api.runtime import RelaynaRuntime
from relayna.topologies import ContractAliasConfig

__all__ = ["create_app"]


def create_app(
    runtime: RelaynaRuntime,
    *,
    aliases: ContractAliasConfig | None = None,
    access: Access | None = None,
    allow_writes: bool = False,
) -> Starlette:
    """An app with all routes there are and bounds on every request, which keeps the runtime open while it is up.

    A server runs no lifespan of an app that is mounted into another: there, the host enters the runtime in its
    own (`async with runtime`). `aliases` and `access` as for `create_execution_router`. Without
    `allow_writes` nobody changes anything, whatever their token.
    """
    app = Starlette(
        routes=runtime.routes(aliases=aliases, access=access, allow_writes=allow_writes),
        middleware=[Middleware(RequestLimits)],
        exception_handlers={404: answer_error, 405: answer_error},
        lifespan=RelaynaLifespan(runtime),
    )
    # A redirect would be spelled with the decoded path, and lead elsewhere.
    app.router.redirect_slashes = False
    return app
