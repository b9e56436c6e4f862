"""What happened to tasks, for language models: a server of the Model Context Protocol, read-only. Needs the extra `mcp`."""

from __future__ import annotations

from relayna.mcp.http_app import McpApp, create_mcp_app
from relayna.mcp.server import McpNotInstalled, make_server, serve_stdio

__all__ = ["McpApp", "McpNotInstalled", "create_mcp_app", "make_server", "serve_stdio"]
