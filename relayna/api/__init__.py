"""Graphs over HTTP: an app of ours, routes and a lifespan for a host's own."""

from __future__ import annotations

from relayna.api.app import create_app
from relayna.api.executions import create_execution_router
from relayna.api.lifespan import create_relayna_lifespan, get_relayna_runtime
from relayna.api.runtime import RelaynaRuntime

__all__ = [
    "RelaynaRuntime",
    "create_app",
    "create_execution_router",
    "create_relayna_lifespan",
    "get_relayna_runtime",
]
