"""What a client of a live execution is told, before it is put into words.

Owns the shapes, as documented in docs/live.md. Sends nothing, and spells no JSON.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_patch import GraphPatch

__all__ = ["GapReason", "LiveEnd", "LiveGap", "LiveMessage", "LiveStatus", "Store"]

Store: TypeAlias = Literal["up", "away"]

GapReason: TypeAlias = Literal["unknown_version", "fell_behind"]
"""`unknown_version`: nobody knows any more what the client has. `fell_behind`: it took longer than versions are kept."""


class LiveStatus(Struct, frozen=True):
    """How the task and the stream of messages stand."""

    status: str | None
    """The latest status of the root task."""
    store: Store
    """`away`: nothing new can be told until the store answers again."""


class LiveGap(Struct, frozen=True):
    """No patch leads on from what the client has; a snapshot follows."""

    reason: GapReason


class LiveEnd(Struct, frozen=True):
    """There will be no more messages."""

    reason: Literal["finished", "gone"]
    """`finished`: the task has ended and nothing is at work on it. `gone`: its records have expired."""
    status: str | None


class LiveMessage:
    """One message. The same object for all who are told the same, so that it is put into words once."""

    __slots__ = ("__weakref__", "body", "version")

    def __init__(
        self, body: ExecutionGraph | GraphPatch | LiveStatus | LiveGap | LiveEnd, version: str | None = None
    ) -> None:
        self.body = body
        self.version = version
        """What whoever got this message has; None when it changes nothing about that."""

    @property
    def size(self) -> int:
        """About how many nodes and edges it holds."""
        match self.body:
            case ExecutionGraph():
                return len(self.body.nodes) + len(self.body.edges)
            case GraphPatch():
                return len(self.body.nodes_set) + len(self.body.edges_set)
            case _:
                return 0
