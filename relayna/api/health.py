"""`GET /livez`: whether this process answers. `GET /readyz`: whether what it answers from is as it should be.

The first depends on nothing, so that no store's fault restarts the process. Owns the two answers; what is
checked is in `relayna.observability.checks`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
import msgspec
from msgspec import Struct
from starlette.responses import Response

from relayna.api.endpoint import ApiRequest, Endpoint
from relayna.api.responses import JSON, make_response
from relayna.instants import format_instant
from relayna.observability.checks import StoreHealth
from relayna.observability.checks.check import Check

__all__ = ["Liveness", "Readiness", "health_endpoints", "watching"]


class Liveness(Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Struct, frozen=True):
    """Every check, and whether all that must hold do."""

    status: Literal["ready", "not_ready"]
    checked_at: str
    checks: list[Check]


def health_endpoints(health: StoreHealth) -> tuple[Endpoint, ...]:
    """`/livez`, which depends on nothing, and `/readyz`, which answers 503 when a check has failed."""

    async def readyz(request: ApiRequest) -> Response:
        report = await health.report()
        ready = report.state != "failed"
        answer = Readiness(
            "ready" if ready else "not_ready", format_instant(report.checked_at), list(report.checks)
        )
        headers = {} if ready else {"Retry-After": "5"}
        return make_response(
            msgspec.json.encode(answer), media_type=JSON, status=200 if ready else 503, headers=headers
        )

    return (
        Endpoint(
            path="/livez",
            name="livez",
            summary="Whether this process answers.",
            answer=_livez,
            scope=None,
            returns={JSON: Liveness},
            problems=(),
        ),
        Endpoint(
            path="/readyz",
            name="readyz",
            summary="Whether what it answers from is as it should be. Warnings are ready.",
            answer=readyz,
            scope=None,
            returns={JSON: Readiness},
            other_answers={503: Readiness},
            problems=(),
        ),
    )


@asynccontextmanager
async def watching(health: StoreHealth) -> AsyncIterator[None]:
    """Check now and every minute while the context lasts, so that the program's log tells what changes."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(health.watch)
        yield
        tasks.cancel_scope.cancel()


async def _livez(request: ApiRequest) -> Response:
    return make_response(msgspec.json.encode(Liveness()), media_type=JSON)
