"""Clocks: a server that is off gives streams wrong ids, and readers wrong ideas of what has expired."""

from __future__ import annotations

from typing import Final

from relayna.observability.checks.check import Check, of_all_servers
from relayna.streams.redis.inspection import Inspection, ServerFacts

__all__ = ["check_clock"]

_MOST_MS: Final = 1_000


def check_clock(inspection: Inspection) -> list[Check]:
    """How far the servers' clocks are from ours."""
    return [of_all_servers(inspection.servers, _skew)]


def _skew(server: ServerFacts) -> Check:
    name = "clock_skew"
    if server.clock_ms is None:
        return Check(name=name, state="unknown", found="The server does not say (TIME).")
    skew = server.clock_ms - server.our_clock_ms
    # Half of the way may have taken all of the time.
    if abs(skew) <= _MOST_MS + server.round_trip_ms / 2:
        return Check(name=name, state="ok", found="The server's clock and ours agree within a second.")
    off = f"{abs(skew) / 1000:.1f} s {'ahead of' if skew > 0 else 'behind'} ours"
    return Check(
        name=name,
        state="warning",
        found=f"The server's clock is {off}.",
        advice="Set both machines' clocks by NTP. Edges of graphs stay right; times and ages do not.",
    )
