"""Memory: streams must never be evicted, and there must be room for more of them."""

from __future__ import annotations

from typing import Final

from relayna.observability.checks.check import Check, of_all_servers
from relayna.streams.redis.inspection import Inspection, ServerFacts

__all__ = ["check_memory"]

_NEARLY_FULL: Final = 0.85


def check_memory(inspection: Inspection) -> list[Check]:
    """The eviction policy, and how much of `maxmemory` is left."""
    return [of_all_servers(inspection.servers, judged) for judged in (_eviction, _headroom)]


def _eviction(server: ServerFacts) -> Check:
    name, policy = "eviction_policy", server.info.get("maxmemory_policy")
    advice = (
        "Set maxmemory-policy noeviction: a full server then refuses, recorders wait, and nothing is lost."
    )
    if policy is None:
        return Check(name=name, state="unknown", found="The server does not say (INFO).", advice=advice)
    if policy == "noeviction":
        return Check(name=name, state="ok", found="Nothing is evicted (noeviction).")
    if _number(server, "maxmemory") == 0:
        found = f"The policy is {policy}, which throws streams away as soon as maxmemory is set."
        return Check(name=name, state="warning", found=found, advice=advice)
    found = f"The policy is {policy}: when memory is short, streams disappear without any error."
    return Check(name=name, state="failed", found=found, advice=advice)


def _headroom(server: ServerFacts) -> Check:
    name, used, most = "memory_headroom", _number(server, "used_memory"), _number(server, "maxmemory")
    if used is None or most is None:
        return Check(name=name, state="unknown", found="The server does not say (INFO).")
    if most == 0:
        return Check(
            name=name,
            state="ok",
            found=f"{_mebibytes(used)} in use; maxmemory is not set, so the machine is the limit.",
            advice="Set maxmemory to what the machine can spare (docs/operations.md, sizing).",
        )
    found = f"{_mebibytes(used)} of {_mebibytes(most)} in use ({100 * used // most} %)."
    advice = (
        "Give it more memory, or keep streams for a shorter time; `relayna seal` makes small ones smaller."
    )
    if used >= most:
        return Check(name=name, state="failed", found=found, advice=advice)
    if used >= _NEARLY_FULL * most:
        return Check(name=name, state="warning", found=found, advice=advice)
    return Check(name=name, state="ok", found=found)


def _number(server: ServerFacts, name: str) -> int | None:
    text = server.info.get(name, "")
    return int(text) if text.isdecimal() else None


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
