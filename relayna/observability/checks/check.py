"""What a check found. Owns the shape, and how what several servers say becomes one finding. Asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from relayna.instants import Instant
from relayna.streams.redis.inspection import ServerFacts

__all__ = ["STATES", "Check", "CheckReport", "CheckState", "of_all_servers", "worst"]

CheckState: TypeAlias = Literal["ok", "unknown", "warning", "failed"]
STATES: Final[tuple[CheckState, ...]] = ("ok", "unknown", "warning", "failed")
"""From best to worst."""


class Check(Struct, frozen=True, kw_only=True):
    """One finding. Holds no address, no credential and no task's data: anyone may see it."""

    name: str
    """Stable: alarms and dashboards go by it."""
    state: CheckState
    """`warning` will hurt, `failed` does already; `unknown` could not be asked."""
    found: str
    """What is the case, in one sentence."""
    advice: str = ""
    """What to do about it; empty where there is nothing to do."""


class CheckReport(Struct, frozen=True, kw_only=True):
    """All findings of one moment."""

    checked_at: Instant
    checks: Sequence[Check]

    @property
    def state(self) -> CheckState:
        """The worst of them."""
        return worst(check.state for check in self.checks)

    @property
    def findings(self) -> list[Check]:
        """Those that somebody should do something about."""
        return [check for check in self.checks if check.state in ("warning", "failed")]


def worst(states: Iterable[CheckState]) -> CheckState:
    """The worst of these states; `ok` of none."""
    return max(states, key=STATES.index, default="ok")


def of_all_servers(servers: Sequence[ServerFacts], judged: Callable[[ServerFacts], Check]) -> Check:
    """The worst of what is found of each server, saying of how many it is true."""
    checks = [judged(server) for server in servers]
    state = worst(check.state for check in checks)
    worst_ones = [check for check in checks if check.state == state]
    first = worst_ones[0]
    if len(checks) == 1:
        return first
    found = f"{len(worst_ones)} of {len(checks)} servers: {first.found}"
    return Check(name=first.name, state=state, found=found, advice=first.advice)
