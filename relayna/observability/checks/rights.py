"""Rights: the user of the store's URL must be allowed what relayna does, or what one of its roles does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relayna.observability.checks.check import Check
from relayna.streams.redis.inspection import Inspection

__all__ = ["check_rights"]

_READING: Final = frozenset({"PING", "XRANGE", "XINFO", "PTTL", "GET", "MULTI", "EXEC"})
_RECORDING: Final = frozenset({"EVALSHA", "EVAL", "XADD", "PEXPIRE"})
_OPERATING: Final = frozenset({"COPY", "RENAME", "XSETID", "SET", "SCAN", "EXISTS", "PEXPIRETIME"})

_REFUSED_ON_PURPOSE: Final[Mapping[str, frozenset[str]]] = {
    "worker": _OPERATING | {"TIME", "XLEN", "XRANGE"},  # of the feed, which tells of other tenants' tasks
    "service": _OPERATING,
    "reader": _OPERATING | {"XADD", "PEXPIRE", "EVALSHA", "EVAL"},
}
"""What the files of deploy/acl leave out, by role: with as much refused as that, nothing is amiss."""


def check_rights(inspection: Inspection) -> list[Check]:
    """Which commands are refused, and what does not work without them."""
    return [_rights(inspection)]


def _rights(inspection: Inspection) -> Check:
    name, refused = "rights", inspection.refused
    if refused is None:
        return Check(name=name, state="unknown", found="The server does not say what our user may do.")
    if not refused:
        return Check(name=name, state="ok", found="Our user may do all that relayna does.")
    role = next((one for one, left_out in _REFUSED_ON_PURPOSE.items() if left_out == set(refused)), None)
    if role is not None:
        return Check(name=name, state="ok", found=f"Our user may do what a {role} does.")
    commands = ", ".join(refused)
    advice = f"Allow them on the keys of the prefix: ACL SETUSER … ~{inspection.keys.prefix}:* and +{refused[0].lower()} …"
    if _READING & set(refused):
        found = f"Our user may not run {commands}: not even reading works."
        return Check(name=name, state="failed", found=found, advice=advice)
    what = "recording" if _RECORDING & set(refused) else "sealing, archiving, importing or checks"
    found = f"Our user may not run {commands}: {what} will not work."
    return Check(name=name, state="warning", found=found, advice=advice)
