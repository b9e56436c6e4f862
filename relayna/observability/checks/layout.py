"""Layout: workers and readers must mean the same keys."""

from __future__ import annotations

from relayna.observability.checks.check import Check
from relayna.streams.redis.inspection import Inspection

__all__ = ["check_layout"]


def check_layout(inspection: Inspection) -> list[Check]:
    """The number of shards, and whether anything was recorded under this prefix."""
    return [_shard_count(inspection), _prefix(inspection)]


def _shard_count(inspection: Inspection) -> Check:
    name, wanted, stored = "shard_count", inspection.keys.shard_count, inspection.shard_count
    if stored is None:
        return Check(name=name, state="ok", found="Nobody has laid this prefix out yet.")
    if stored == str(wanted):
        return Check(name=name, state="ok", found=f"The prefix is laid out over {wanted} shards.")
    return Check(
        name=name,
        state="failed",
        found=f"The prefix is laid out over {stored[:20]} shards, and this process asks for {wanted}.",
        advice=f"Set RELAYNA_SHARD_COUNT={stored[:20]}, or use another prefix.",
    )


def _prefix(inspection: Inspection) -> Check:
    name, prefix = "prefix", inspection.keys.prefix
    if inspection.any_feed:
        return Check(name=name, state="ok", found=f"Something was recorded under {prefix!r} lately.")
    if not inspection.other_prefixes:
        return Check(name=name, state="ok", found="Nothing was recorded on this store lately.")
    others = ", ".join(map(repr, inspection.other_prefixes))
    return Check(
        name=name,
        state="warning",
        found=f"Nothing was recorded under {prefix!r} lately, though there are other prefixes: {others}.",
        advice="Give workers and readers the same RELAYNA_PREFIX and the same database number.",
    )
