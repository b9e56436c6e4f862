"""`GET /livez`: whether this process answers. `GET /readyz`: whether what it answers from is as it should be.

The first depends on nothing, so that no store's fault restarts the process. Owns the two answers; what is
checked is in `relayna.observability.checks`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relayna.api.responses import JSON, make_response
from relayna.instants import format_instant
from relayna.observability.checks import StoreHealth

__all__ = ["livez_route", "readyz_route", "watching"]


def livez_route() -> Route:
    """The route `/livez`, which always answers `{"status":"ok"}`."""
    return Route("/livez", _livez, name="livez")


def readyz_route(health: StoreHealth) -> Route:
    """The route `/readyz`: every check, and 503 when one has failed. Warnings are ready."""

    async def readyz(request: Request) -> Response:
        report = await health.report()
        ready = report.state != "failed"
        answer = {
            "status": "ready" if ready else "not_ready",
            "checked_at": format_instant(report.checked_at),
            "checks": report.checks,
        }
        headers = {} if ready else {"Retry-After": "5"}
        return make_response(
            msgspec.json.encode(answer), media_type=JSON, status=200 if ready else 503, headers=headers
        )

    return Route("/readyz", readyz, name="readyz")


@asynccontextmanager
async def watching(health: StoreHealth) -> AsyncIterator[None]:
    """Check now and every minute while the context lasts, so that the program's log tells what changes."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(health.watch)
        yield
        tasks.cancel_scope.cancel()


async def _livez(request: Request) -> Response:
    return make_response(b'{"status":"ok"}', media_type=JSON)
