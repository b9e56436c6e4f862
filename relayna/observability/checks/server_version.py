"""The servers' versions."""

from __future__ import annotations

from relayna.observability.checks.check import Check, of_all_servers
from relayna.streams.redis.inspection import Inspection, ServerFacts

__all__ = ["check_server_version"]


def check_server_version(inspection: Inspection) -> list[Check]:
    """Which server it is. One that is too old is refused when a connection is made."""
    return [of_all_servers(inspection.servers, _version)]


def _version(server: ServerFacts) -> Check:
    name = "server_version"
    valkey, redis = server.info.get("valkey_version"), server.info.get("redis_version")
    if valkey is None and redis is None:
        return Check(name=name, state="unknown", found="The server does not say (INFO).")
    return Check(name=name, state="ok", found=f"Valkey {valkey}." if valkey else f"Redis {redis}.")
