"""Graphs over HTTP: routes for a host of one's own, and an app of ours."""

from __future__ import annotations

from relayna.api.app import create_app
from relayna.api.executions import create_execution_router

__all__ = ["create_app", "create_execution_router"]
