"""Persistence: what the server acknowledged must survive it."""

from __future__ import annotations

from relayna.observability.checks.check import Check, of_all_servers
from relayna.streams.redis.inspection import Inspection, ServerFacts

__all__ = ["check_persistence"]


def check_persistence(inspection: Inspection) -> list[Check]:
    """Whether the append-only file is on, and written without trouble."""
    return [of_all_servers(inspection.servers, _append_only_file)]


def _append_only_file(server: ServerFacts) -> Check:
    name, enabled = "append_only_file", server.info.get("aof_enabled")
    if enabled is None:
        return Check(name=name, state="unknown", found="The server does not say (INFO).")
    if enabled != "1":
        return Check(
            name=name,
            state="warning",
            found="The append-only file is off: a crash takes what was recorded since the last snapshot.",
            advice="Set appendonly yes and appendfsync everysec.",
        )
    if server.info.get("aof_last_write_status", "ok") != "ok":
        return Check(
            name=name,
            state="failed",
            found="The append-only file could not be written.",
            advice="Look at the server's disk and its log.",
        )
    return Check(name=name, state="ok", found="The append-only file is on.")
