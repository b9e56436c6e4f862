"""Rights: the user of the store's URL must be allowed what relayna does."""

from __future__ import annotations

from relayna.observability.checks.check import Check
from relayna.streams.redis.inspection import Inspection

__all__ = ["check_rights"]

_READING = frozenset({"PING", "XRANGE", "XINFO", "PTTL", "GET", "SET", "MULTI", "EXEC"})
"""SET: whoever opens a log writes down the number of shards when nobody has."""
_RECORDING = frozenset({"EVALSHA", "EVAL", "XADD", "PEXPIRE"})


def check_rights(inspection: Inspection) -> list[Check]:
    """Which commands are refused, and what does not work without them."""
    return [_rights(inspection)]


def _rights(inspection: Inspection) -> Check:
    name, refused = "rights", inspection.refused
    if refused is None:
        return Check(name=name, state="unknown", found="The server does not say what our user may do.")
    if not refused:
        return Check(name=name, state="ok", found="Our user may do all that relayna does.")
    commands = ", ".join(refused)
    advice = f"Allow them on the keys of the prefix: ACL SETUSER … ~{inspection.keys.prefix}:* and +{refused[0].lower()} …"
    if _READING & set(refused):
        found = f"Our user may not run {commands}: not even reading works."
        return Check(name=name, state="failed", found=found, advice=advice)
    what = "recording" if _RECORDING & set(refused) else "sealing, archiving, importing or checks"
    found = f"Our user may not run {commands}: {what} will not work."
    return Check(name=name, state="warning", found=found, advice=advice)
