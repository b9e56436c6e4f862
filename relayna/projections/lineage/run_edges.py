"""Runs and the typed edges between them. Owns the shapes and which kinds are births.

A run is a task seen from far away: its attempts, messages, retries and statuses are inside. Times are corrected
ones (docs/architecture.md, "Order and clocks"), so that an effect never comes before its cause.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field

from relayna.instants import Instant

__all__ = [
    "BIRTH_KINDS",
    "EDGE_KINDS",
    "SELF_KINDS",
    "Run",
    "RunEdge",
    "RunEdgeKind",
    "RunLineage",
    "dollar_digits",
    "dollars",
]

RunEdgeKind: TypeAlias = Literal[
    "user_start",
    "spawn",
    "signal_fire",
    "domain_callback",
    "cross_session_bridge",
    "resume",
    "timer_fire",
    "ctx_ask_user",
    "retry",
    "replayed_from",
    "span_tree_fallback",
]

EDGE_KINDS: Final[tuple[RunEdgeKind, ...]] = (
    "user_start", "spawn", "signal_fire", "domain_callback", "cross_session_bridge", "resume", "timer_fire",
    "ctx_ask_user", "retry", "replayed_from", "span_tree_fallback",
)  # fmt: skip

BIRTH_KINDS: Final[frozenset[RunEdgeKind]] = frozenset(
    {
        "user_start", "spawn", "signal_fire", "domain_callback", "cross_session_bridge", "replayed_from",
        "span_tree_fallback",
    }
)  # fmt: skip
"""A run that the runtime started has exactly one of these. `domain_callback` is one only when it starts a run."""

SELF_KINDS: Final[frozenset[RunEdgeKind]] = frozenset({"timer_fire", "ctx_ask_user", "retry"})
"""From a run to itself."""


class RunEdge(Struct, frozen=True, kw_only=True, gc=False):
    """One edge, as it was recorded."""

    edge_id: str
    """The id of the event that says so."""
    kind: RunEdgeKind
    source: str | None
    """The run that it comes from; None from outside."""
    target: str
    at: Instant
    session_id: str
    """The target's; a bridge is shown in its source's session too."""
    is_birth: bool = False
    variant: str | None = None
    cost_attributed: int = 0
    """Millionths of a dollar."""
    tokens_attributed: int = 0
    label: str | None = None
    metadata: dict[str, Any] | None = None  # Any: the user's own JSON object
    group_key: str | None = None
    """Of a child: however often its parent is handled, it has one child by this name."""

    @property
    def is_self(self) -> bool:
        """Whether it leads from a run to itself."""
        return self.source == self.target


class Run(Struct, frozen=True, kw_only=True, gc=False):
    """One run, as far as lineage tells of it."""

    run_id: str
    session_id: str
    agent: str | None = None
    """Who handled it first: the name that a consumer was given, else its stage or queue."""
    ended_by: str | None = None
    """The agent of its last attempt, where that is another: the one that its end is told of."""
    workflow: str | None = None
    """Its task type, else the kind of its topology."""
    status: str | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    decisions: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    """See `decisions.py`."""


class RunLineage(Struct, frozen=True, kw_only=True):
    """What is known of some sessions."""

    runs: dict[str, Run]
    edges: list[RunEdge]


def dollars(micro_dollars: int, *, digits: int = 0) -> str:
    """As people read it: with as many digits as it needs, and no fewer than are asked for; 4 at least.

    >>> dollars(360_000), dollars(7), dollars(30, digits=6)
    ('0.3600', '0.000007', '0.000030')
    """
    return f"{micro_dollars / 1_000_000:.{max(digits, dollar_digits([micro_dollars]))}f}"


def dollar_digits(amounts: Iterable[int]) -> int:
    """After the point, so that nothing is lost of any of these millionths: 4 to 6.

    >>> dollar_digits([]), dollar_digits([100, 30]), dollar_digits([30, 7])
    (4, 5, 6)
    """
    told = list(amounts)
    return next((digits for digits, unit in ((4, 100), (5, 10)) if not any(one % unit for one in told)), 6)
