"""What a client of a live session is told, before it is put into a protocol's words.

Owns the shapes, as documented in docs/lineage.md. Sends nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from relayna.observability.lineage_told import RunEdgeTold
from relayna.observability.live.messages import Store
from relayna.projections.lineage.run_edges import RunEdgeKind

__all__ = ["EdgeWithdrawn", "SessionBody", "SessionEnd", "SessionGap", "SessionMessage", "SessionStatus"]


class EdgeWithdrawn(Struct, frozen=True, kw_only=True):
    """An edge that was told is none of the session's: better word came of how the run was born."""

    edge_id: str
    kind: RunEdgeKind
    source_run: str | None
    target_run: str


class SessionStatus(Struct, frozen=True):
    """How the stream of messages stands."""

    store: Store
    """`away`: nothing new can be told until the store answers again."""


class SessionGap(Struct, frozen=True):
    """Nobody knows which edges the client has: it forgets them, and all that there are follow."""

    reason: Literal["unknown_id"] = "unknown_id"


class SessionEnd(Struct, frozen=True):
    """There will be no more messages."""

    reason: Literal["gone"] = "gone"
    """The session's records have expired."""


SessionBody: TypeAlias = RunEdgeTold | EdgeWithdrawn | SessionStatus | SessionGap | SessionEnd

_NAMES: dict[type, str] = {
    RunEdgeTold: "edge",
    EdgeWithdrawn: "withdrawn",
    SessionStatus: "status",
    SessionGap: "gap",
    SessionEnd: "end",
}


class SessionMessage:
    """One message. The same object for all who are told the same, so that it is put into words once."""

    def __init__(self, body: SessionBody, event_id: str | None = None) -> None:
        self.body = body
        self.id = event_id
        """Whoever got this message and all before it has the edges that the id stands for; None when it changes nothing."""

    @property
    def event(self) -> str:
        """What kind of message it is."""
        return _NAMES[type(self.body)]

    @cached_property
    def data(self) -> bytes:
        """The body as JSON."""
        return msgspec.json.encode(self.body)
