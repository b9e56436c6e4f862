"""A sheet on which the parts of a graph are drawn: collects nodes and edges and puts them in order.

Owns ids of nodes and the order of the output. Knows no events.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from relayna.instants import UNTIMED, Instant, format_instant
from relayna.projections.graph import EdgeKind, ExecutionGraphEdge, ExecutionGraphNode, NodeKind

__all__ = ["Drawing", "annotated", "node_id"]


def node_id(kind: str, *parts: str | int) -> str:
    """`kind:part:part`; `%` and `:` inside parts are percent-encoded, so ids cannot be confused.

    >>> node_id("status", "T:1", 2)
    'status:T%3A1:2'
    """
    shown = kind
    for part in parts:
        text = part if type(part) is str else str(part)
        if "%" in text or ":" in text:
            text = text.replace("%", "%25").replace(":", "%3A")
        shown = f"{shown}:{text}"
    return shown


def annotated(ref: str, annotations: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations of a node as they are shown: its `ref`, and those that are not null. Any: JSON values.

    >>> annotated("r1", {"state": "failed", "reason": None})
    {'ref': 'r1', 'state': 'failed'}
    """
    shown: dict[str, Any] = {"ref": ref}  # Any: JSON values
    for name, value in annotations.items():
        if value is not None:
            shown[name] = value
    return shown


class Drawing:
    """Nodes and edges so far."""

    def __init__(self) -> None:
        self._nodes: list[tuple[int, str, str, str, int, ExecutionGraphNode]] = []
        """Each after what it is sorted by; the last of that is its place among those drawn, so no two are equal."""
        self._edges: list[tuple[int, str, str, str, int, ExecutionGraphEdge]] = []
        self.earliest: Instant | None = None
        self.latest: Instant | None = None
        self._last_time: Instant | None = None
        self._last_shown: str | None = None

    def node(
        self,
        node: str,
        kind: NodeKind,
        *,
        task_id: str,
        label: str,
        time: Instant | None,
        annotations: dict[str, Any],
    ) -> None:
        """Add a node. Its annotations are as they are to be shown, `ref` among them. Any: JSON values."""
        drawn = ExecutionGraphNode(
            id=node,
            kind=kind,
            task_id=task_id,
            label=label,
            timestamp=self._last_shown if time == self._last_time else self._shown(time),
            annotations=annotations,
        )
        place = UNTIMED if time is None else time
        self._nodes.append((place, kind, annotations["ref"], node, len(self._nodes), drawn))

    def edge(
        self,
        source: str,
        target: str,
        kind: EdgeKind,
        *,
        time: Instant | None,
        evidence: str,
        rule: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an edge and say how it is known; `more` are annotations beside that. Any: JSON values."""
        shown: dict[str, Any] = {"evidence": evidence}
        if rule is not None:
            shown["rule"] = rule
        if more:
            shown.update(more)
        # A node and its edge mostly have the same time.
        timestamp = self._last_shown if time == self._last_time else self._shown(time)
        drawn = ExecutionGraphEdge(
            source=source, target=target, kind=kind, timestamp=timestamp, annotations=shown
        )
        self._edges.append((UNTIMED if time is None else time, kind, source, target, len(self._edges), drawn))

    def reaches(self, time: Instant | None) -> None:
        """The run went on until then, though no node stands for it."""
        if time is not None and time != UNTIMED and (self.latest is None or time > self.latest):
            self.latest = time

    def nodes(self) -> list[ExecutionGraphNode]:
        """All nodes by time, kind and ref."""
        return [entry[-1] for entry in sorted(self._nodes)]

    def edges(self) -> list[ExecutionGraphEdge]:
        """All edges by time, kind and ends."""
        return [entry[-1] for entry in sorted(self._edges)]

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return len(self._nodes)

    def cut(self, most: int) -> int:
        """Keep the root and up to `most` nodes in all, each with what it hangs on; how many are left out.

        Nodes that were drawn first are kept first.
        """
        below = self._below()
        kept: set[int] = set()
        reached = [0]
        while reached and len(kept) < max(1, most):
            index = heapq.heappop(reached)
            if index not in kept:
                kept.add(index)
                for hanging in below.get(self._nodes[index][-1].id, ()):
                    heapq.heappush(reached, hanging)
        left_out = len(self._nodes) - len(kept)
        self._nodes = [entry for index, entry in enumerate(self._nodes) if index in kept]
        names = {entry[-1].id for entry in self._nodes}
        self._edges = [
            entry for entry in self._edges if entry[-1].source in names and entry[-1].target in names
        ]
        return left_out

    def _below(self) -> dict[str, list[int]]:
        """What hangs on each node: by births, and by the edges of what attempts made."""
        places = {entry[-1].id: index for index, entry in enumerate(self._nodes)}
        below: dict[str, list[int]] = {}
        for *_, edge in self._edges:
            above, under = edge.source, edge.target
            if edge.kind == "aggregated_into":
                above, under = under, above
            if edge.kind != "joined_from" and edge.annotations.get("birth") is not False:
                below.setdefault(above, []).append(places[under])
        return below

    def _shown(self, time: Instant | None) -> str | None:
        if time is None or time == UNTIMED:
            return None
        if self.earliest is None or time < self.earliest:
            self.earliest = time
        if self.latest is None or time > self.latest:
            self.latest = time
        self._last_time, self._last_shown = time, format_instant(time)
        return self._last_shown
