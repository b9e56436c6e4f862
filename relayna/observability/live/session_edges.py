"""The edges of one session in the order in which they became known: each told once, and each state with an id.

Owns what an id means. It stands for a set of edges, by their number and a sum over them, and not for a place in a
list: so another process, which saw them come in another order, knows it again as long as the edges do. Asks no store.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, TypeAlias

from relayna.observability.lineage_told import RunEdgeTold, Session
from relayna.observability.live.session_messages import EdgeWithdrawn, SessionMessage

__all__ = ["NO_EDGES", "SessionEdges"]

NO_EDGES: Final = f"0-{0:016x}"
"""The id of having none of a session's edges, which every process knows."""

_ID: Final = re.compile(r"(\d{1,9})-[0-9a-f]{16}")

_Key: TypeAlias = tuple[str, str, str | None, str]


class SessionEdges:
    """Empty at first. Give it the session as it is, again and again."""

    def __init__(self) -> None:
        self.messages: list[SessionMessage] = []
        """All there were; who follows remembers how many of them they were told."""
        self._held: dict[_Key, RunEdgeTold] = {}
        self._sum = 0
        self._places = {NO_EDGES: 0}
        """By id, up to where messages are told to whoever has it."""

    def __len__(self) -> int:
        return len(self._held)

    def update(self, session: Session) -> None:
        """Note what is new, and what is not so after all."""
        current = {_key(edge): edge for edge in session.edges}
        reborn = {edge.target_run for edge in session.edges if edge.is_birth}
        for key, edge in list(self._held.items()):
            # What is missing from an answer that is not whole has been, and may have expired.
            if key not in current and (not session.missing or (edge.is_birth and edge.target_run in reborn)):
                del self._held[key]
                self._tell(_withdrawn(edge), key)
        for key, edge in current.items():
            if key not in self._held:
                self._held[key] = edge
                self._tell(edge, key)

    def since(self, event_id: str) -> tuple[list[SessionMessage], int] | None:
        """What to tell whoever has this id: messages of their own, then all from that place on.

        None when nobody knows which edges that id stands for.
        """
        if event_id in self._places:
            return [], self._places[event_id]
        found = _ID.fullmatch(event_id)
        edges = sorted(self._held.items(), key=lambda entry: (entry[1].at or "", entry[1].edge_id))
        count = int(found[1]) if found is not None else len(edges) + 1
        total, told = 0, []
        for number, (key, edge) in enumerate(edges, 1):
            total ^= _hash(key)
            if number == count and _id(number, total) != event_id:
                return None
            if number > count:
                told.append(SessionMessage(edge, _id(number, total)))
        return (told, len(self.messages)) if count <= len(edges) else None

    def _tell(self, body: RunEdgeTold | EdgeWithdrawn, key: _Key) -> None:
        self._sum ^= _hash(key)
        message = SessionMessage(body, _id(len(self._held), self._sum))
        self.messages.append(message)
        self._places[message.id or ""] = len(self.messages)


def _key(edge: RunEdgeTold) -> _Key:
    return edge.edge_id, edge.kind, edge.source_run, edge.target_run


def _withdrawn(edge: RunEdgeTold) -> EdgeWithdrawn:
    return EdgeWithdrawn(
        edge_id=edge.edge_id, kind=edge.kind, source_run=edge.source_run, target_run=edge.target_run
    )


def _id(count: int, total: int) -> str:
    return f"{count}-{total:016x}"


def _hash(key: _Key) -> int:
    return int.from_bytes(hashlib.blake2b(repr(key).encode(errors="surrogatepass"), digest_size=8).digest())
