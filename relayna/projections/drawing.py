"""A sheet on which the parts of a graph are drawn: collects nodes and edges and puts them in order.

Owns ids of nodes and the order of the output. Knows no events.
"""

from __future__ import annotations

from typing import Any

from relayna.instants import UNTIMED, Instant, format_instant
from relayna.projections.graph import EdgeKind, ExecutionGraphEdge, ExecutionGraphNode, NodeKind

__all__ = ["Drawing", "node_id"]


def node_id(kind: str, *parts: str | int) -> str:
    """`kind:part:part`; `%` and `:` inside parts are percent-encoded, so ids cannot be confused.

    >>> node_id("status", "T:1", 2)
    'status:T%3A1:2'
    """
    return ":".join((kind, *(_part(part) for part in parts)))


def _part(part: str | int) -> str:
    text = str(part)
    return text.replace("%", "%25").replace(":", "%3A") if "%" in text or ":" in text else text


class Drawing:
    """Nodes and edges so far."""

    def __init__(self) -> None:
        self._nodes: list[tuple[tuple[int, str, str], ExecutionGraphNode]] = []
        self._edges: list[tuple[tuple[int, str, str, str], ExecutionGraphEdge]] = []
        self.earliest: Instant | None = None
        self.latest: Instant | None = None

    def node(
        self,
        node: str,
        kind: NodeKind,
        *,
        task_id: str,
        label: str,
        ref: str,
        time: Instant | None,
        annotations: dict[str, Any],
    ) -> None:
        """Add a node; annotations that are null are left out. Any: JSON values."""
        shown = {"ref": ref, **{name: value for name, value in annotations.items() if value is not None}}
        drawn = ExecutionGraphNode(
            id=node, kind=kind, task_id=task_id, label=label, timestamp=self._shown(time), annotations=shown
        )
        self._nodes.append(((UNTIMED if time is None else time, kind, ref), drawn))

    def edge(
        self,
        source: str,
        target: str,
        kind: EdgeKind,
        *,
        time: Instant | None,
        evidence: str,
        rule: str | None = None,
        **annotations: Any,  # Any: JSON values
    ) -> None:
        """Add an edge and say how it is known; annotations that are null are left out."""
        shown = {"evidence": evidence, "rule": rule, **annotations}
        drawn = ExecutionGraphEdge(
            source=source,
            target=target,
            kind=kind,
            timestamp=self._shown(time),
            annotations={name: value for name, value in shown.items() if value is not None},
        )
        self._edges.append(((UNTIMED if time is None else time, kind, source, target), drawn))

    def nodes(self) -> list[ExecutionGraphNode]:
        """All nodes by time, kind and ref."""
        return [node for _, node in sorted(self._nodes, key=lambda entry: entry[0])]

    def edges(self) -> list[ExecutionGraphEdge]:
        """All edges by time, kind and ends."""
        return [edge for _, edge in sorted(self._edges, key=lambda entry: entry[0])]

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return len(self._nodes)

    def cut(self, most: int) -> int:
        """Keep the first `most` nodes, in the order in which they were drawn, and the edges among them."""
        left_out = self._nodes[most:]
        self._nodes = self._nodes[:most]
        kept = {node.id for _, node in self._nodes}
        self._edges = [entry for entry in self._edges if entry[1].source in kept and entry[1].target in kept]
        return len(left_out)

    def _shown(self, time: Instant | None) -> str | None:
        if time is None or time == UNTIMED:
            return None
        if self.earliest is None or time < self.earliest:
            self.earliest = time
        if self.latest is None or time > self.latest:
            self.latest = time
        return format_instant(time)
