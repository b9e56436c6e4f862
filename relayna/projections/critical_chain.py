"""The chain that determined when a run ended: from the last thing that ended back to the root.

Owns what an event waited for: its birth; of several joined messages, the last one; and the child that ended
last, when it ended after the birth did. Linear, without recursion.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from typing import Final

from relayna.instants import UNTIMED, Instant, parse_instant
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.hangings import hangings

__all__ = ["critical_chain"]

_CONTAINERS: Final = ("task", "aggregation_child")


def critical_chain(graph: ExecutionGraph) -> set[str]:
    """Ids of the nodes of the chain, and of the births of everything in it.

    While something runs, the last thing is the one that began last. A child that was waited for is in the
    chain with what it ended with, and what led to that.
    """
    return _Chain(graph).walk()


class _Chain:
    """What can be asked about ends and waits, each looked up once."""

    def __init__(self, graph: ExecutionGraph) -> None:
        self._graph = graph
        self._nodes = {node.id: node for node in graph.nodes}
        self._above = hangings(graph)
        self._last_of_task: dict[str, tuple[Instant, str]] = {}
        self._homes: dict[str, str] = {}
        for node in graph.nodes:
            if node.kind in _CONTAINERS:
                self._homes.setdefault(node.task_id, node.id)
            end = _end(node)
            if end is not None and end >= self._last_of_task.get(node.task_id, (UNTIMED, ""))[0]:
                self._last_of_task[node.task_id] = (end, node.id)
        self._joined: dict[str, list[str]] = defaultdict(list)
        self._ended_children: dict[str, list[tuple[Instant, str]]] = defaultdict(list)
        self._index_edges()

    def walk(self) -> set[str]:
        """Every id that the chain needs."""
        kept = {node.id for node in self._graph.nodes if node.kind == "task"}
        last = self._last_thing()
        pending = [] if last is None else [last]
        while pending:
            at: str | None = pending.pop()
            while at is not None and at not in kept:
                kept.add(at)
                before = self._before(at)
                child = self._waited_for(at, before)
                if child is not None and child not in kept:
                    pending.append(child)
                    pending.append(self._last_of_task.get(self._nodes[child].task_id, (UNTIMED, child))[1])
                at = before
        return kept

    def _index_edges(self) -> None:
        for edge in self._graph.edges:
            if edge.source not in self._nodes or edge.target not in self._nodes:
                continue
            if edge.kind == "joined_from":
                self._joined[edge.target].append(edge.source)
            elif edge.kind == "aggregated_into":
                ended = parse_instant(edge.timestamp)
                if ended is not None:
                    self._ended_children[edge.target].append((ended, edge.source))
        for children in self._ended_children.values():
            children.sort()

    def _last_thing(self) -> str | None:
        return max(self._last_of_task.values(), default=(UNTIMED, None))[1]

    def _before(self, node_id: str) -> str | None:
        """What it was born of; for one that joined messages, the last of them."""
        above = self._above.get(node_id)
        born_of = None if above is None else above.parent
        messages = self._joined.get(node_id)
        if not messages or born_of is None or self._nodes[born_of].kind != "workflow_message":
            return born_of
        return max((born_of, *messages), key=lambda one: (_begin(self._nodes[one]) or UNTIMED, one))

    def _waited_for(self, node_id: str, before: str | None) -> str | None:
        """The child that ended last before this began, if it ended after what this came from had."""
        node = self._nodes[node_id]
        begun, home = _begin(node), self._homes.get(node.task_id)
        children = self._ended_children.get(home or "")
        if begun is None or not children:
            return None
        position = bisect.bisect_right(children, begun, key=lambda ended: ended[0])
        ended, child = children[position - 1] if position else (UNTIMED, None)
        free = None if before is None else _end(self._nodes[before])
        return child if free is None or ended > free else None


def _begin(node: ExecutionGraphNode) -> Instant | None:
    return parse_instant(node.timestamp)


def _end(node: ExecutionGraphNode) -> Instant | None:
    begun, length = _begin(node), node.annotations.get("duration_ms")
    if begun is None or not isinstance(length, int):
        return begun
    return Instant(begun + length * 1000)
